"""The summary at the end of a run: its result in sentences, the picture to open first, the command to try next.

Everything is computed from result.json and the tables beside the plots.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dlcourse.config import choices
from dlcourse.runs.files import by_epoch, read_rows
from dlcourse.runs.metrics import figure, finite, is_share, leading_metric, lower_is_better, metric, reported
from dlcourse.runs.result import Result
from dlcourse.runs.verdicts import NOT_COMPARABLE, RENDERED, other_settings, verdict

GAP = 2.0  # times as many errors on new images as in training count as overfitting
SMALL_SHARE, SMALL = 0.01, 0.5  # smaller gaps of a share, or of another error, are not mentioned
UNDERFITS = {"accuracy": 0.2, "error_minutes": 6.0}  # larger errors in training mean that the model is too weak
SHIFT = 0.05  # a larger fall of accuracy from validation to test means that the test images differ
LATE = 0.8  # a best epoch in the last fifth of the training asks for more epochs
NAMES = {
    "test": "the test images",
    "val": "validation images",
    "train": "the training images",
    "hard": "the hard images",
}
# The first of these plots that a run has is the one to open first.
FIRST = ("reconstructions", "errors", "confused_pairs", "map", "surface", "tries", "worst", "confusion",
         "robustness", "curves")  # fmt: skip
PLACES = ("hydra.run.dir", "resume", "name")  # options of another run's folder
OF_IMAGES = ("frechet_distance", "reconstruction_rmse")


class Conclusion(NamedTuple):
    """Sentences, the plot to open first (None without plots), and a command."""

    sentences: list[str]
    picture: Path | None
    command: str

    def text(self) -> str:
        """The lines that a run prints."""
        lines = [" ".join(self.sentences)] if self.sentences else []
        lines += [f"Open first: {self.picture}"] if self.picture else []
        return "\n".join([*lines, f"Try next: {self.command}"])


def conclude(result: Result, folder: Path) -> Conclusion:
    """The summary of a finished run.

    Args:
        result: of a train, evaluate or embed command.
        folder: where its plots are.
    """
    metrics = {name: value for name, raw in result.metrics.items() if (value := finite(raw)) is not None}
    if result.trial:
        words = ["This was a trial run on a few batches (debug=fast): ignore its figures."]
        return Conclusion(words, _picture(folder, metrics, False), _again(result, drop=("debug",)))
    overfits, said = _gap(metrics)
    sentences = [_main(result, metrics), said, _shift(metrics), _mistakes(folder, metrics), _images(metrics)]
    return Conclusion(
        [sentence for sentence in sentences if sentence],
        _picture(folder, metrics, overfits),
        _next(result, folder, metrics, overfits),
    )


def _main(result: Result, metrics: Mapping[str, float]) -> str:
    """The leading figure, beside the first reported one that it can be compared with."""
    name = leading_metric(metrics, result.references)
    if name is None:
        return ""
    split, _, short = name.partition("/")
    where = NAMES.get(split, split)
    value = figure(name, metrics[name])
    if short == "accuracy":
        said = f"{value} of {where} are classified correctly"
    elif short == "error_minutes":
        said = f"On {where} the time is {value} off on average"
    elif short == "solved":
        said = f"{value} of the starts solve the task"
    else:
        said = f"{short.replace('_', ' ').capitalize()} on {where}: {value}"
    row = next((row for row in result.references if row["metric"] == name), None)
    if row is None:
        return f"{said}."
    outcome = verdict(metrics[name], row, result.rendered, changed=other_settings(result.overrides, row["id"]))
    if outcome == RENDERED:
        return f"{said}; these images are rendered, so reported figures do not compare."
    theirs = f"{reported(name, row['value'])} reported ({row['id']})"
    outcome = "not comparable: other settings" if outcome == NOT_COMPARABLE else outcome
    return f"{said}, beside {theirs}: {outcome}."


def _gap(metrics: Mapping[str, float]) -> tuple[bool, str]:
    """Whether a model is much better on training images than on new ones, and the sentence about it."""
    for short in ("accuracy", "error_minutes", "reconstruction_rmse"):
        held_out = next((f"{split}/{short}" for split in ("val", "test") if f"{split}/{short}" in metrics), None)
        if held_out is None or f"train/{short}" not in metrics:
            continue
        ours, theirs = metrics[f"train/{short}"], metrics[held_out]
        if ours == theirs:
            continue  # the same samples, as with XOR
        share = is_share(short)
        errors = (1 - ours, 1 - theirs) if share else (ours, theirs)
        which = "validation" if held_out.startswith("val/") else "test"
        named = "reconstruction error " if short == "reconstruction_rmse" else ""
        pair = f"{named}{figure(short, ours)} in training, {figure(short, theirs)} on {which} images"
        if errors[1] - errors[0] > (SMALL_SHARE if share else SMALL) and errors[1] > GAP * errors[0]:
            return True, f"The result is much better on training images than on new ones ({pair}): the model overfits."
        if short in UNDERFITS and errors[0] > UNDERFITS[short]:
            return False, f"The result is poor on training images as well ({pair}): the model underfits."
        return False, f"The results on training images and on new ones are similar ({pair})."
    return False, ""


def _shift(metrics: Mapping[str, float]) -> str:
    """A sentence if the test images differ from those of training and validation, as with `data=mnist_changed`."""
    known, new = metrics.get("val/accuracy"), metrics.get("test/accuracy")
    if known is None or new is None or known - new <= SHIFT:
        return ""
    return (
        f"The test images differ from the training images: accuracy is {figure('accuracy', known)} on validation "
        f"images and {figure('accuracy', new)} on test images."
    )


def _mistakes(folder: Path, metrics: Mapping[str, float]) -> str:
    """The most confused pair of classes, or whether a few large errors make up the mean."""
    for row in read_rows(folder / "plots" / "confused_pairs.csv")[:1]:
        truth, answered, count = row.get("truth"), row.get("answered"), row.get("count")
        return f"The most frequent mistake: {truth} classified as {answered} ({count} times)."
    mean, median = metrics.get("test/error_minutes"), metrics.get("test/error_minutes_median")
    if mean is None or median is None:
        return ""
    near = metrics.get("test/within_one_minute")
    share = "" if near is None else f"{figure('within_one_minute', near)} are within one minute, "
    text = f"{share}the median error is {figure('minutes', median)}"
    if mean > 3 * max(median, 0.5):
        text += ": a few large errors, often of whole hours, make up the mean"
    return f"{text[:1].upper()}{text[1:]}."


def _images(metrics: Mapping[str, float]) -> str:
    """Generated images beside real ones, or reconstructions beside the mean image."""
    ours, real = metrics.get("test/frechet_distance"), metrics.get("test/real_frechet_distance")
    mean = metrics.get("test/mean_picture_frechet_distance")
    if ours is not None and real is not None and mean is not None:
        text = f"For comparison: real images have {real:.4g}, the mean image {mean:.4g}; lower is better."
        if ours > mean:
            text += " The samples are worse than the mean image: the model has not learned to generate images yet."
        if metrics.get("test/nearest_ratio", 1) < 0.5:
            text += " Samples are very similar to training images: the model may have memorised some."
        return text
    off, mean = metrics.get("test/reconstruction_rmse"), metrics.get("test/mean_picture_rmse")
    if off is not None and mean is not None:
        return f"The error of a reconstructed pixel is {off:.3g} grey levels; that of the mean image is {mean:.3g}."
    return ""


def _picture(folder: Path, metrics: Mapping[str, float], overfits: bool) -> Path | None:
    """The plot to open first."""
    plots = {path.stem: path for path in sorted((folder / "plots").glob("*.png"))}
    generative = any(name.rpartition("/")[2] in OF_IMAGES for name in metrics)
    order = ["curves"] if overfits else []
    order += ["samples"] if generative and any(name.endswith("/frechet_distance") for name in metrics) else []
    order += [*FIRST, *plots]
    return next((plots[name] for name in order if name in plots), None)


def _next(result: Result, folder: Path, metrics: Mapping[str, float], overfits: bool) -> str:
    """A command that shows more: samples, more epochs, augmentation, other seeds."""
    run = result.run if result.verb == "evaluate" and result.run else str(folder)
    at = f"run={run}"
    if any(name.rpartition("/")[2] in OF_IMAGES for name in metrics):
        draws = any(name.endswith("/nearest_ratio") for name in metrics)
        return result.command_with([at, "n=64" if draws else "input=FILE_OR_FOLDER"], "sample")
    if result.verb == "embed":
        other = {"pca": "tsne", "tsne": "umap"}.get(str(result.model), "pca")
        return _again(result, drop=("method",), more=[f"method={other}"])
    clock = any(name.endswith("error_minutes") for name in metrics)
    if result.verb != "evaluate" and result.parameters == 0:  # nearest neighbours: other seeds change nothing
        words = [word for word in result.overrides if re.match(r"data(\.|=)", word)] or [f"data={result.data}"]
        return result.command_with(["method=tsne", *words], "embed")
    if (result.verb == "evaluate" and not clock) or not result.overrides:
        if any("accuracy" in name for name in metrics):
            return result.command_with(["method=tsne", at], "embed")
        return result.command_with([at], "evaluate")
    best, last = _best_epoch(folder, result) if result.verb == "train" else (0, 0)
    if last >= 2 and best >= LATE * last and not overfits and result.parameters:
        more = [f"trainer.max_epochs={2 * last}"]
        return _again(result, drop=("trainer.max_epochs",), more=more)
    augment = {"mnist": "digits", "mnist_changed": "digits", "digits28": "digits", "cifar10": "cifar",
               "cifar100": "cifar", "clocks": "clocks", "clocks_course": "clocks"}.get(str(result.data))  # fmt: skip
    asked = any(re.match(r"data[/.]augment", word) for word in result.overrides)
    if result.verb == "train" and overfits and augment in choices("data/augment") and not asked:
        return _again(result, more=[f"data/augment={augment}"])
    if clock:
        return result.command_with([at, "input=photo.jpg"], "predict")
    return _again(result, sweep=True, drop=("seed",), more=["seed=0,1,2"])


def _again(result: Result, *, sweep: bool = False, drop: Sequence[str] = (), more: Sequence[str] = ()) -> str:
    """The command of a run with other words."""
    words = [w for w in result.overrides if w.partition("=")[0].lstrip("+") not in (*drop, *PLACES)]
    if not words and result.verb == "train":
        words = [f"model={result.model}", f"data={result.data}"]
    return result.command_with([*(["-m"] if sweep else []), *words, *more])


def _best_epoch(folder: Path, result: Result) -> tuple[int, int]:
    """The epoch with the best leading figure on validation, counted from 1, and the last one; zeros without any."""
    rows = read_rows(folder / "metrics.csv")
    name = leading_metric(result.metrics, result.references) or ""
    held_out = f"val/{name.partition('/')[2]}"
    points = by_epoch(rows, held_out)
    if not points or metric(held_out).better is None:
        return 0, 0
    choose = min if lower_is_better(held_out) else max
    return choose(points, key=lambda point: point[1])[0], points[-1][0]
