"""Two-dimensional maps of a data set: one dot or thumbnail per sample, coloured by label, with class centres."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patheffects import withStroke

from dlcourse.clocks.encodings import MINUTES
from dlcourse.data.task import Task, fine
from dlcourse.plots.curves import save
from dlcourse.plots.sheet import plain, shorten
from dlcourse.runs.files import write_csv

NAMED = 20  # classes up to which there is a legend
METHOD_NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
THUMBNAIL = 0.026  # side as a part of the map's
GREY = (0.35, 0.4, 0.5, 1.0)
CYCLIC = "hsv"  # a cyclic colour map, for the hours


class Map(NamedTuple):
    """Places of samples and what colours them.

    Attributes:
        places: float [N, 2].
        values: a class [N], a part of the dial's turn [N] from 0 to 1, or nothing where the labels are neither.
        names: of the classes; empty where there are none.
        pictures: uint8 [N, H, W] or [N, H, W, 3] to draw instead of dots.
    """

    places: np.ndarray
    values: np.ndarray | None
    names: tuple[str, ...] = ()
    pictures: np.ndarray | None = None


def coloured(places: np.ndarray, labels: np.ndarray | None, task: Task, pictures: np.ndarray | None = None) -> Map:
    """A map with colours for a task's labels: [N] classes, or [N, 2] a fine and a coarse class or hour and minute.

    Where classes have groups, the groups have the colours. Labels of None leave the map grey.
    """
    if labels is None:
        return Map(places, None, (), pictures)
    if task.kind == "time":
        return Map(places, (60 * labels[:, 0] + labels[:, 1]) / MINUTES, (), pictures)
    if task.groups:
        return Map(places, np.asarray(task.group_of)[fine(labels)], task.groups, pictures)
    return Map(places, labels, task.classes, pictures)


def write_map(path: Path, shown: Map) -> None:
    """Places with the number and the name of each sample's class, or the part of the dial's turn, as CSV."""
    values = [math.nan] * len(shown.places) if shown.values is None else shown.values.tolist()
    labels = [shown.names[int(value)] for value in values] if shown.names else [None] * len(values)
    rows = [(*place, *of) for place, of in zip(shown.places.tolist(), zip(values, labels, strict=True), strict=True)]
    write_csv(path, ["x", "y", "value", "label"], rows)


def read_map(path: Path) -> Map:
    """Read the file of `write_map`; a class without samples has an empty name."""
    with path.open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    places = np.array([(float(row["x"]), float(row["y"])) for row in rows])
    if not rows[0]["value"]:
        return Map(places, None)
    if not rows[0]["label"]:
        return Map(places, np.array([float(row["value"]) for row in rows]))
    named = {int(row["value"]): row["label"] for row in rows}
    names = tuple(named.get(i, "") for i in range(max(named) + 1))
    return Map(places, np.array([int(row["value"]) for row in rows]), names)


def draw_maps(path: Path, maps: Mapping[str, Map]) -> None:
    """Maps of the same data side by side, each under its title, with one legend.

    Args:
        path: of the PNG.
        maps: by title.
    """
    first = next(iter(maps.values()))
    side = 7.5 if first.pictures is not None else 6.0 if len(maps) == 1 else 4.6
    figure = Figure(figsize=(side * len(maps) + 1.6, side), layout="constrained")
    panels = list(figure.subplots(1, len(maps), squeeze=False)[0])
    for axes, (title, shown) in zip(panels, maps.items(), strict=True):
        _draw_map(axes, shown, side)
        axes.set_title(plain(title), fontsize=11)
    if first.names and len(first.names) <= NAMED:
        counts = np.bincount(first.values, minlength=len(first.names)) if first.values is not None else ()
        handles = [
            panels[-1].plot([], [], "o", color=colour, label=f"{plain(shorten(name, 20))} ({count:,})")[0]
            for name, colour, count in zip(first.names, class_colours(len(first.names)), counts, strict=True)
        ]
        figure.legend(handles=handles, loc="outside right upper", fontsize=9, frameon=False)
    elif first.values is not None and not first.names:
        hours = ScalarMappable(Normalize(0, 12), CYCLIC)
        figure.colorbar(hours, ax=panels, label="time, hours", ticks=range(13), shrink=0.7)
    save(figure, path)


def _draw_map(axes: Axes, shown: Map, side: float) -> None:
    places, colours = shown.places, _colours(shown)
    low, high = places.min(0), places.max(0)
    margin = 0.04 * (high - low).max() + 1e-9
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin), xticks=[], yticks=[])
    axes.set_box_aspect(1)
    if shown.pictures is None:
        axes.scatter(*places.T, s=max(2, min(14, 20000 / len(places))), c=colours, alpha=0.7, linewidths=0)
    else:
        _draw_thumbnails(axes, shown.pictures, places, colours, side)
    if not shown.names or shown.values is None:
        return
    palette = class_colours(len(shown.names))
    for i, name in enumerate(shown.names):
        if (mine := shown.values == i).any():
            _mark_centre(axes, tuple(places[mine].mean(0)), name if len(shown.names) <= 10 else "", palette[i])


def _mark_centre(axes: Axes, place: tuple[float, float], name: str, colour: Sequence[float]) -> None:
    """A class centre as its name, or as a cross where names would overlap."""
    outline, dark = [withStroke(linewidth=3.5, foreground="white")], np.multiply(colour[:3], 0.55)
    if not name:
        axes.plot(*place, "X", color=dark, markersize=9, markeredgecolor="white", zorder=5)
        return
    size = 15 if len(name) < 3 else 9
    text = axes.text(*place, plain(shorten(name, 14)), ha="center", va="center", size=size, color=dark, zorder=5)
    text.set(weight="bold", path_effects=outline)


def class_colours(count: int) -> list[tuple[float, ...]]:
    """A colour for each class, easy to distinguish for few classes."""
    if count <= 10:
        return list(matplotlib.colormaps["tab10"].colors[:count])  # ty: ignore[missing-attribute]
    if count <= NAMED:
        return list(matplotlib.colormaps["tab20"].colors[:count])  # ty: ignore[missing-attribute]
    return [tuple(colour) for colour in matplotlib.colormaps["gist_rainbow"](np.linspace(0, 1, count))]


def _colours(shown: Map) -> np.ndarray:
    """RGBA [N, 4] of each sample."""
    if shown.values is None:
        return np.tile(GREY, (len(shown.places), 1))
    if not shown.names:
        return matplotlib.colormaps[CYCLIC](shown.values)
    palette = np.array([(*colour[:3], 1.0) for colour in class_colours(len(shown.names))])
    return palette[shown.values]


def _draw_thumbnails(axes: Axes, pictures: np.ndarray, places: np.ndarray, colours: np.ndarray, side: float) -> None:
    """The images that do not overlap, at their places; bright strokes on black are drawn in colour."""
    low, extent = places.min(0), np.ptp(places, 0).max() + 1e-9
    edge = np.concatenate([pictures[:, [0, -1]].reshape(-1), pictures[:, :, [0, -1]].reshape(-1)])
    strokes = pictures.ndim == 3 and edge.mean() < 64
    for i in _spread((places - low) / extent, THUMBNAIL * (0.75 if strokes else 1.2)):
        picture = pictures[i]
        if strokes:
            picture = np.concatenate(
                [np.broadcast_to(colours[i, :3], (*picture.shape, 3)), picture[..., None] / 255], 2
            )
        zoom = 72 * side * THUMBNAIL / max(picture.shape[:2])
        image = OffsetImage(picture, zoom=zoom, cmap="gray", interpolation="antialiased")
        frame = {"edgecolor": colours[i], "linewidth": 1.5}
        axes.add_artist(AnnotationBbox(image, tuple(places[i]), frameon=not strokes, pad=0.1, bboxprops=frame))


def _spread(places: np.ndarray, apart: float) -> list[int]:
    """Indices of samples at `places` [N, 2], taken in order, each more than `apart` from those before along x or y."""
    chosen: list[int] = []
    for i, place in enumerate(places):
        if (np.abs(places[chosen] - place).max(1) > apart).all():
            chosen.append(i)
    return chosen
