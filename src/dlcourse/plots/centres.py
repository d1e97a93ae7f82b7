"""The class centres of a distance classifier: their images, their distances, their places on a map."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from dlcourse.analysis.distances import centre_distances, extreme_pairs
from dlcourse.data.module import DataModule
from dlcourse.data.task import fine
from dlcourse.models.distance import DistanceClassifier
from dlcourse.plots.curves import ANSWER, TRUTH, save
from dlcourse.plots.maps import coloured, draw_maps
from dlcourse.plots.sheet import contact_sheet, displayable, plain, shorten
from dlcourse.runs.files import write_csv

NUMBERED = 20  # classes up to which the table shows its numbers


def draw(folder: Path, model: DistanceClassifier, data: DataModule) -> None:
    """Plot the class centres of a fitted classifier into `folder`/plots, with a table of their distances.

    Args:
        folder: the run folder.
        model: fitted.
        data: that it was fitted to, or another with the same classes.
    """
    plots, names, centres = folder / "plots", model.task.classes, model.centres.cpu()
    distance = centre_distances(centres)
    rows = [[name, *row] for name, row in zip(names, distance.tolist(), strict=True)]
    write_csv(plots / "centre_distances.csv", ["class", *names], rows)
    draw_centre_distances(plots / "centre_distances.png", distance, names)
    if model.reduce != "none":
        shown = coloured(model.places.cpu().double().numpy(), model.labels.cpu().numpy(), model.task)
        draw_maps(plots / "map.png", {f"{data.title} by {model.reduce}, {len(model.labels):,} training samples": shown})
        return
    finite = centres.isfinite().all(1)
    pictures = displayable(centres[finite].float().reshape(-1, *data.arrays["train"][0].shape[1:]))
    if pictures is not None:
        known = finite.nonzero()[:, 0].tolist()[:100]
        counts = fine(data.arrays["train"][1]).bincount(minlength=len(names)).tolist()
        titles = [f"{shorten(names[i], 14)}\n{counts[i]:,} images" for i in known]
        contact_sheet(plots / "centres.png", list(pictures[:100].numpy()), titles, "Class centres", columns=5, cell=1.6)


def draw_centre_distances(path: Path, distance: Tensor, names: tuple[str, ...]) -> None:
    """A heat map of the distances between class centres, the closest and the farthest pair framed and named.

    Args:
        path: of the PNG.
        distance: [K, K], NaN for a class without a centre.
        names: of the K classes.
    """
    near, far = extreme_pairs(distance)
    count = len(names)
    side = 6.2 if count <= NUMBERED else 9
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    shown = distance.clone().fill_diagonal_(float("nan"))
    image = axes.imshow(shown.numpy(), cmap="viridis")
    figure.colorbar(image, ax=axes, label="Euclidean distance", shrink=0.8)
    size = max(4, min(10, 550 / count))
    axes.set_xticks(range(count), map(plain, names), rotation=90 if count > 10 or max(map(len, names)) > 3 else 0)
    axes.set_yticks(range(count), map(plain, names))
    axes.tick_params(labelsize=size)
    if count <= NUMBERED:
        low, high = near[2], far[2]
        for i in range(count):
            for j in range(count):
                value = distance[i, j].item()
                if i != j and value == value:
                    dark = value < (low + high) / 2
                    digits = f"{value:.1f}" if high < 1000 else f"{value:.0f}"
                    axes.text(j, i, digits, ha="center", va="center", fontsize=8, color="w" if dark else "k")
    for (a, b, _), colour in ((near, ANSWER), (far, TRUTH)):
        for x, y in ((a, b), (b, a)):
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=2.5))
    lines = [f"{word} {plain(names[a])} and {plain(names[b])}: {value:.2f}" for word, (a, b, value) in
             (("closest (red)", near), ("farthest (green)", far))]  # fmt: skip
    axes.set_title("Distances between class centres\n" + ", ".join(lines), fontsize=11)
    save(figure, path)
