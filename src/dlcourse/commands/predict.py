"""A run's answers for a person's own pictures."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcourse.data.image_files import UNREADABLE, picture_files, read_picture
from dlcourse.data.task import as_stored
from dlcourse.errors import UserError
from dlcourse.models.build import load_run
from dlcourse.plots.dispatch import draw_predictions
from dlcourse.runs.files import write_text
from dlcourse.runs.table import text_table

BATCH = 100


def predict(run: Path, source: Path, folder: Path, trust: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Answer, print, and write predictions.csv and contact_sheet.png into `folder`.

    Args:
        run: folder of a completed run, whose best checkpoint answers.
        source: a picture or a folder of pictures.
        folder: where the answers go.
        trust: packages or full class names outside dlcourse that the run may build.

    Returns:
        A row a picture: its file and what the model's family says of it.

    Raises:
        UserError: there is no picture to answer for, or no run.
    """
    files = picture_files(source)
    _, model = load_run(run, trust)
    shape = model.task.picture_shape()
    if shape is None:
        raise UserError(f"{run} learnt {model.task.shape_text()}, which are no pictures: it cannot answer for one")
    pictures, read = [], []
    for file in files:
        try:
            pictures.append(read_picture(file, shape))
            read.append(file)
        except UNREADABLE as error:
            if file == source:
                raise UserError(f"{file} is no picture that can be read: give a PNG, JPEG or the like") from error
            print(f"skipped {file.name}: no picture that can be read")
    if not read:
        raise UserError(f"{source} holds no picture that can be read: give a PNG, JPEG or the like")
    array = torch.from_numpy(np.stack(pictures))
    inputs = as_stored(array, model.task)
    with torch.inference_mode():
        parts = [model.predictions(model(inputs[i : i + BATCH])) for i in range(0, len(inputs), BATCH)]
    answers = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    rows = [{"file": str(file)} | row for file, row in zip(read, model.format_predictions(answers), strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "predictions.csv", table.getvalue())
    sheet = folder / "contact_sheet.png"
    draw_predictions(sheet, model, array, answers, read)
    names = [[Path(row["file"]).name, *list(row.values())[1:]] for row in rows]
    print(text_table(list(rows[0]), names))
    print(f"\neverything is in {folder}")
    return rows
