"""Predictions of a run for a user's own images."""

from collections.abc import Generator, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcourse.data.image_files import UNREADABLE, as_text, picture_files, printable, read_picture, why_unreadable
from dlcourse.data.task import as_stored
from dlcourse.errors import UserError
from dlcourse.models.answers import BATCH, Predictions, predict_batches
from dlcourse.models.build import any_clock_reader, load_run
from dlcourse.plots.dispatch import draw_predictions
from dlcourse.plots.style import plotting
from dlcourse.runs.files import replaced, write_csv
from dlcourse.runs.table import text_table

SHOWN = 60  # images of the contact sheet


def predict(
    run: Path | None, source: Path | Sequence[Path], folder: Path, trust: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Predict, print the table, and write predictions.csv, predictions.npz and contact_sheet.png into `folder`.

    Args:
        run: folder of a completed run; its best checkpoint is used. None: the built-in reader of any clock.
        source: an image file or a folder of images, or several of them.
        folder: output folder.
        trust: packages or full class names outside dlcourse that the run may build.

    Returns:
        One row per image: its file and the model's predictions.

    Raises:
        UserError: the run does not exist, or none of the files could be decoded.
    """
    sources = [source] if isinstance(source, Path) else list(source)
    files = {file: _shown(file, top, len(sources) > 1) for top in sources for file in picture_files(top)}
    model = any_clock_reader() if run is None else load_run(run, trust)[1]
    task = model.photo_task
    shape = task.picture_shape()
    if shape is None:
        raise UserError(
            f"{run} was trained on {model.task.shape_text()}, not on images: choose a run of an image data set"
        )
    read: list[Path] = []
    shown: list[np.ndarray] = []

    def batches() -> Generator[torch.Tensor]:
        """The images as they are decoded, so that a large folder fits in memory."""
        images: list[np.ndarray] = []
        for file, name in files.items():
            try:
                images.append(read_picture(file, shape, task.pad))
                read.append(file)
            except UNREADABLE as error:
                if [file] == sources:
                    raise UserError(
                        f"{printable(file)}: {why_unreadable(error)}; give a PNG, JPEG or similar file"
                    ) from error
                print(f"skipped {name}: {why_unreadable(error)}")
            if images and (len(images) == BATCH or file == last):
                shown.extend(images[: SHOWN - len(shown)])
                yield as_stored(torch.from_numpy(np.stack(images)), task)
                images.clear()

    last, made = list(files)[-1], batches()
    if (first := next(made, None)) is None:
        given = ", ".join(map(printable, sources))
        raise UserError(f"{given} does not contain an image that can be decoded: give PNG, JPEG or similar files")
    predictions, answers = predict_batches(model, chain([first], made))
    paths = [as_text(file) for file in read]
    rows = [{"file": path} | row for path, row in zip(paths, model.format_predictions(predictions), strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    _write_table(folder / "predictions.csv", rows, answers)
    with replaced(folder / "predictions.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, files=np.asarray(paths), **answers.arrays())
    sheet = folder / "contact_sheet.png"
    names = [files[file] for file in read]
    with plotting("the contact sheet"):
        some = {name: part[:SHOWN] for name, part in predictions.items()}
        images = torch.from_numpy(np.stack(shown))
        draw_predictions(sheet, model, images, some, [Path(name) for name in names[:SHOWN]])
    print(text_table(list(rows[0]), [[name, *list(row.values())[1:]] for name, row in zip(names, rows, strict=True)]))
    print(f"\nResults saved to {folder}" + (f"\nOpen first: {sheet}" if sheet.exists() else ""))
    return rows


def _write_table(path: Path, rows: list[dict[str, Any]], answers: Predictions) -> None:
    """Write the printed rows, followed by a column for each probability."""
    columns = answers.columns()
    numbers = zip(*columns.values(), strict=True) if columns else [()] * len(rows)
    cells = ([*row.values(), *map(float, some)] for row, some in zip(rows, numbers, strict=True))
    write_csv(path, [*rows[0], *columns], cells)


def _shown(file: Path, source: Path, several: bool) -> str:
    """The name of a file in the table: within its source, or with the whole path where there are several."""
    return printable(file if several else file.name if file == source else file.relative_to(source))
