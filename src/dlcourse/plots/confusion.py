"""The confusion matrix, the error of each class, and the most confused pairs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from dlcourse.analysis.classification import ClassError, Classes, Pair
from dlcourse.plots.curves import ANSWER, TRAIN, VALIDATION, save
from dlcourse.plots.sheet import note, plain, shorten

WRITTEN = 20  # classes of which each cell's number can be read
LISTED = 40  # classes of which each has a bar; of more, the hardest and the easiest have one
SHOWN = 25
THUMBNAIL = 22  # points
LETTER = 0.0165  # width of a bar label's letter as a share of its panel


def draw_confusion(path: Path, matrix: Tensor, task: Classes) -> None:
    """The confusion matrix: counts in the cells of a few classes, colours alone for many, sorted by group.

    Right answers are blue and mistakes orange, each with a scale of its own, or rare mistakes would not be seen.

    Args:
        path: of the PNG.
        matrix: from `analysis.classification.confusion`.
        task: names of the classes and groups.
    """
    count = len(matrix)
    few = count <= WRITTEN
    order = sorted(range(count), key=lambda i: (task.group_of[i], i)) if task.groups and not few else list(range(count))
    numbers = matrix[order][:, order].numpy()
    shares = numbers / np.maximum(numbers.sum(1, keepdims=True), 1)
    diagonal = np.eye(count, dtype=bool)
    figure = Figure(figsize=(2.4 + 0.5 * count, 1.6 + 0.45 * count) if few else (11.5, 10), layout="constrained")
    if few:
        axes = figure.subplots()
    else:
        panels = figure.subplot_mosaic([["matrix", "right"], ["matrix", "wrong"]], width_ratios=[40, 1])
        axes = panels["matrix"]
    highest = max(shares[~diagonal].max(initial=0), 0.01)
    # the maps begin where they differ from white, and end where black can still be told from them
    right = axes.imshow(np.where(diagonal, shares, np.nan), cmap="Blues", vmin=-0.1, vmax=1.25)
    errors = np.where(diagonal | (numbers == 0), np.nan, shares)
    wrong = axes.imshow(errors, cmap="Oranges", vmin=(-0.05 if few else -0.2) * highest, vmax=1.15 * highest)
    total, missed = int(numbers.sum()), int(numbers[~diagonal].sum())
    title = f"{missed:,} of {total:,} answers are wrong"
    if few:
        size = 9 if count <= 12 else 7
        for i, j in zip(*numbers.nonzero(), strict=True):
            dark = shares[i, j] > (0.6 if i == j else 0.6 * highest)
            axes.text(j, i, f"{numbers[i, j]}", ha="center", va="center", fontsize=size, color="w" if dark else "k")
        axes.set_xticks(range(count), [plain(task.classes[i]) for i in order], rotation=45, ha="right")
        axes.set_yticks(range(count), [plain(task.classes[i]) for i in order])
    else:
        for name, image, top in (("right", right, 1), ("wrong", wrong, highest)):
            bar = figure.colorbar(image, cax=panels[name], format=PercentFormatter(1))
            bar.set_label(f"{name} answers, share of the true class")
            bar.ax.set_ylim(0, top)
        if task.groups:
            _mark_groups(axes, task, [task.group_of[i] for i in order])
            title += "; classes sorted by their group"
        else:
            size = max(4, min(8, 550 / count))
            axes.set_xticks(range(count), map(plain, task.classes), rotation=90, fontsize=size)
            axes.set_yticks(range(count), map(plain, task.classes), fontsize=size)
    axes.set(xlabel="answered", ylabel="true class", title=title)
    save(figure, path)


def _mark_groups(axes: Axes, task: Classes, groups: Sequence[int]) -> None:
    starts = [i for i, group in enumerate(groups) if i == 0 or group != groups[i - 1]]
    ends = [*starts[1:], len(groups)]
    for start in starts[1:]:
        axes.axhline(start - 0.5, color="0.8", linewidth=0.5)
        axes.axvline(start - 0.5, color="0.8", linewidth=0.5)
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    names = [plain(shorten(task.groups[groups[start]], 30)) for start in starts]
    axes.set_xticks(middles, names, rotation=90, fontsize=8)
    axes.set_yticks(middles, names, fontsize=8)


def draw_class_errors(path: Path, classes: Sequence[ClassError], groups: Sequence[ClassError]) -> None:
    """The error of each class as bars, the hardest first; of many classes the hardest and the easiest.

    Args:
        path: of the PNG.
        classes: from `analysis.classification.class_errors`.
        groups: the same of the coarse classes, may be empty.
    """
    known = [row for row in classes if row.count]
    if len(known) <= LISTED:
        panels = [("Error by class", known, classes)]
    else:
        panels = [
            (f"The {SHOWN} hardest of {len(known)} classes", known[:SHOWN], classes),
            (f"The {SHOWN} easiest", known[-SHOWN:], classes),
        ]
    if groups:
        panels.append(("Error by group", [row for row in groups if row.count], groups))
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the dashed line
    longest = max(len(rows) for _, rows, _ in panels)
    figure = Figure(figsize=(5.2 * len(panels), 1.1 + 0.24 * longest), layout="constrained")
    for axes, (title, rows, everything) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        overall = sum(row.wrong for row in everything) / max(1, sum(row.count for row in everything))
        labels = [f"{row.error:.1%}" + (f", mostly {shorten(row.mostly, 20)}" if row.mostly else "") for row in rows]
        room = [row.error / (1 - LETTER * len(text)) for row, text in zip(rows, labels, strict=True)]
        bars = axes.barh(range(len(rows)), [100 * row.error for row in rows], color=TRAIN, height=0.75)
        axes.bar_label(bars, [plain(label) for label in labels], fontsize=7, padding=3, bbox=white)
        axes.axvline(100 * overall, color=VALIDATION, linestyle="--", linewidth=1, zorder=0)
        axes.set_yticks(range(len(rows)), [plain(shorten(row.name, 30)) for row in rows], fontsize=8)
        limit = max(0.01, *room)
        dashed = "dashed: " if overall < limit else ""
        axes.set(xlabel=f"% answered wrong; {dashed}{overall:.1%} over all", title=title, xlim=(0, 100 * limit))
        axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 100 * min(1, limit)])
        axes.set_ylim(max(longest, 2) - 0.4 if len(panels) > 1 else len(rows) - 0.4, -0.6)
    save(figure, path)


def draw_pairs(path: Path, pairs: Sequence[Pair], names: Sequence[str], examples: Sequence[Tensor] | None) -> None:
    """The most confused pairs as bars, each with an image that was predicted as the other class.

    Args:
        path: of the PNG.
        pairs: from `analysis.classification.confused_pairs`.
        names: of the classes.
        examples: a picture uint8 [H, W] or [H, W, 3] of each pair, None without images.
    """
    if not pairs:
        note(path, "All predictions are right.")
        return
    figure = Figure(figsize=(8, 1.1 + 0.36 * len(pairs)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(pairs)), [pair.count for pair in pairs], color=ANSWER, alpha=0.75, height=0.7)
    axes.bar_label(bars, [f"{pair.count} ({pair.share:.1%})" for pair in pairs], fontsize=8, padding=3)
    labels = [f"{shorten(names[pair.truth], 22)} as {shorten(names[pair.answered], 22)}" for pair in pairs]
    axes.set_yticks(range(len(pairs)), map(plain, labels), fontsize=9)
    for place, picture in enumerate(examples or ()):
        zoom = THUMBNAIL / max(picture.shape[:2])
        image = OffsetImage(picture.numpy(), zoom=zoom, cmap="gray", interpolation="nearest")
        if picture.ndim == 2:
            image.image.set_clim(0, 255)
        at = (-THUMBNAIL / 2 - 4, 0)
        axes.add_artist(AnnotationBbox(image, (0, place), at, boxcoords="offset points", frameon=False, pad=0))
    if examples:
        axes.tick_params("y", pad=THUMBNAIL + 8, length=0)
    axes.set(
        xlabel="images, and their share of the true class",
        title="The most confused pairs",
        xlim=(0, 1.18 * max(pair.count for pair in pairs)),
        ylim=(len(pairs) - 0.4, -0.6),
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    save(figure, path)
