"""Plots of a classifier's predictions: confusions, confidence, and the worst mistakes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from dlcourse.analysis import classification
from dlcourse.data.module import DataModule
from dlcourse.data.task import fine
from dlcourse.plots.calibration import draw_calibration
from dlcourse.plots.confusion import draw_class_errors, draw_confusion, draw_pairs
from dlcourse.plots.curves import draw_curves
from dlcourse.plots.sheet import contact_sheet, displayable, ending, note, shorten, shown_sample, unsure_marks
from dlcourse.plots.size_and_time import draw_size_and_time
from dlcourse.runs.files import write_csv

__all__ = ["draw", "draw_predictions", "draw_size_and_time"]

SAMPLES, ROW = 40, 10  # training images shown, and how many of them in a row


class Classifier(Protocol):
    """What the plots need of a model: its classes and the predictions of its last split."""

    @property
    def task(self) -> classification.Classes: ...
    @property
    def split(self) -> str: ...
    @property
    def last_predictions(self) -> dict[str, Tensor]: ...


def draw(folder: Path, model: Classifier, data: DataModule) -> None:
    """Draw all plots of a tested classifier into `folder`/plots, each with its numbers as CSV.

    It skips what cannot be drawn: contact sheets of features, calibration without probabilities.

    Args:
        folder: the run folder.
        model: its `last_predictions` are drawn.
        data: its `arrays` contain the images.
    """
    plots, task, answers = folder / "plots", model.task, model.last_predictions
    plots.mkdir(exist_ok=True)
    if (folder / "metrics.csv").exists():
        draw_curves(folder, "train/accuracy", "val/accuracy")
    truth, answered = classification.true_class(answers), classification.answered_class(answers)
    pictures = displayable(data.arrays[model.split][0][: len(truth)])
    matrix = classification.confusion(answered, truth, len(task.classes))
    write_csv(plots / "confusion.csv", ["true class", *task.classes], _named(task.classes, matrix.tolist()))
    draw_confusion(plots / "confusion.png", matrix, task)
    _draw_class_errors(plots, matrix, answers, task)
    _draw_pairs(plots, matrix, answers, task, pictures)
    _draw_worst(plots, answers, task, pictures)
    confidence, right = classification.confidences(answers), answered == truth
    if confidence is not None:
        bins = classification.calibration_bins(confidence, right)
        write_csv(plots / "calibration.csv", classification.Bin._fields, bins)
        draw_calibration(plots / "calibration.png", bins, classification.calibration_error(confidence, right))
    _draw_samples(plots / "samples.png", *shown_sample(model, data), task)


def _named(names: Sequence[str], rows: Sequence[Sequence[int]]) -> list[list[str | int]]:
    return [[name, *row] for name, row in zip(names, rows, strict=True)]


def _draw_class_errors(
    plots: Path, matrix: Tensor, answers: Mapping[str, Tensor], task: classification.Classes
) -> None:
    classes, groups = classification.class_errors(matrix, task.classes), []
    write_csv(plots / "per_class.csv", classification.ClassError._fields, classes)
    if answers["labels"].ndim == 2:
        found = classification.answered_group(answers, task)
        groups = classification.class_errors(
            classification.confusion(found, answers["labels"][:, 1], len(task.groups)), task.groups
        )
        write_csv(plots / "per_group.csv", classification.ClassError._fields, groups)
    draw_class_errors(plots / "per_class.png", classes, groups)


def _draw_pairs(
    plots: Path, matrix: Tensor, answers: Mapping[str, Tensor], task: classification.Classes, pictures: Tensor | None
) -> None:
    pairs = classification.confused_pairs(matrix)
    rows = [(task.classes[pair.truth], task.classes[pair.answered], pair.count, pair.share) for pair in pairs]
    write_csv(plots / "confused_pairs.csv", classification.Pair._fields, rows)
    examples = None
    if pictures is not None:
        surest = classification.worst_mistakes(answers, len(answers["labels"]))
        truth, answered = classification.true_class(answers)[surest], classification.answered_class(answers)[surest]
        of = [((truth == pair.truth) & (answered == pair.answered)).nonzero()[0, 0] for pair in pairs]
        examples = [pictures[surest[place]] for place in of]
    draw_pairs(plots / "confused_pairs.png", pairs, task.classes, examples)


def _draw_worst(
    plots: Path, answers: Mapping[str, Tensor], task: classification.Classes, pictures: Tensor | None
) -> None:
    worst = classification.worst_mistakes(answers)
    answered = [task.classes[i] for i in classification.answered_class(answers)[worst].tolist()]
    truth = [task.classes[i] for i in classification.true_class(answers)[worst].tolist()]
    sure = classification.confidences(answers)
    sure = [None] * len(worst) if sure is None else sure[worst].tolist()
    table = list(zip(worst.tolist(), answered, sure, truth, strict=True))
    write_csv(plots / "worst.csv", ["place", "answered", "confidence", "truth"], table)
    if pictures is None:
        return
    if not table:
        note(plots / "worst.png", f"All {len(answers['labels']):,} answers are right.")
        return
    titles = [
        f"answered {shorten(said, 14)}{'' if c is None else ' ' + _short(c)},\nis {shorten(right, 20)}"
        for _, said, c, right in table
    ]
    title = "Mistakes" if sure[0] is None else "The most confident mistakes"
    contact_sheet(plots / "worst.png", list(pictures[worst].numpy()), titles, title)


def _short(share: float) -> str:
    """A share as `.98`, and 1.00 only if it is exactly 1."""
    return f"{share:.2f}".lstrip("0") if share < 0.995 else ">.99"


def _draw_samples(path: Path, x: Tensor, labels: Tensor, title: str, task: classification.Classes) -> None:
    """One image of each class, then a second of each, and so on; with many classes one of each."""
    labels = fine(labels).cpu()
    rounds = max(1, SAMPLES // len(task.classes))
    order = labels.argsort(stable=True)
    counts = torch.bincount(labels, minlength=len(task.classes))
    starts = counts.cumsum(0) - counts
    chosen = torch.cat([order[starts[counts > i] + i] for i in range(rounds)])[:100]
    pictures = displayable(x)
    if pictures is None:
        return
    titles = [shorten(task.classes[i], 14) for i in labels[chosen].tolist()]
    title += ", one of each class" if rounds == 1 and len(task.classes) <= 100 else ""
    contact_sheet(path, list(pictures[chosen].numpy()), titles, title, columns=ROW, cell=1.15)


def draw_predictions(
    path: Path, model: Classifier, pictures: Tensor, answers: dict[str, Tensor], files: Sequence[Path]
) -> None:
    """A contact sheet of the first 60 images, each with its prediction.

    Args:
        path: of the PNG.
        model: that predicted them; it knows the classes.
        pictures: uint8 [N, H, W] or [N, H, W, 3].
        answers: of the pictures, without `labels`.
        files: that they came from.
    """
    names = [model.task.classes[i] for i in classification.answered_class(answers).tolist()]
    sure = classification.confidences(answers)
    shares = [""] * len(names) if sure is None else [f", {100 * c:.0f} %" for c in sure.tolist()]
    doubts = unsure_marks(model, sure, len(names))
    titles = [
        f"{shorten(name, 18)}{share}{doubt}\n{ending(file.name, 24)}"
        for name, share, doubt, file in zip(names, shares, doubts, files, strict=True)
    ]
    contact_sheet(path, list(pictures[:60].numpy()), titles[:60], "Predicted classes")
