"""The score of a linear probe for each factor, beside raw pixels and guessing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.analysis.linear_probe import baseline, linear_probe, principal_components
from dlcourse.data.module import DataModule
from dlcourse.models.autoencoder import PROBED
from dlcourse.plots.curves import TRAIN, save
from dlcourse.plots.sheet import plain
from dlcourse.runs.files import write_csv

PIXELS = "#bbbbbb"


def draw(folder: Path, model: Any, data: DataModule) -> None:
    """`plots/probe.png` and probe.csv of an autoencoder on data with known factors; else nothing.

    Args:
        folder: the run folder.
        model: tested, so that `model.probe` holds the scores.
        data: its `arrays` contain the images and factors.
    """
    if not model.probe:
        return
    task, (pictures, factors) = data.task, data.arrays["train"]
    asked, truth = data.arrays[model.split]
    names = list(model.probe)
    columns = [task.factors.index(name) for name in names]
    kinds = [task.categories[column] for column in columns] if task.categories else [0] * len(columns)
    known = factors[:PROBED, columns].numpy(), truth[:, columns].numpy()
    learnt, places = principal_components(pictures[:PROBED].numpy(), asked.numpy(), model.latent)
    pixels = linear_probe(learnt, known[0], places, known[1], names, kinds)
    guessing = baseline(*known, names, kinds)
    draw_probe(folder / "plots" / "probe.png", model.probe, pixels, guessing, kinds, "latent")


def draw_probe(
    path: Path,
    scores: Mapping[str, float],
    pixels: Mapping[str, float],
    guessing: Mapping[str, float],
    categories: Sequence[int],
    source: str = "latent",
) -> None:
    """One bar per factor, numbers left and categories right; the same as CSV.

    Args:
        path: of the PNG.
        scores: from `analysis.linear_probe.linear_probe`; R^2 of numbers, accuracy of categories.
        pixels: likewise, from raw pixels' principal components of the same dimension.
        guessing: from `analysis.linear_probe.baseline`.
        categories: for each factor, in the order of `scores`, how many values it has; 0 for a number.
        source: what was probed, for the legend.
    """
    kinds = dict(zip(scores, categories, strict=True))
    write_csv(
        path.with_suffix(".csv"),
        ["factor", "values", source, "pixels", "guessing"],
        [(name, kinds[name] or None, scores[name], pixels[name], guessing[name]) for name in scores],
    )
    groups = [
        ([name for name in scores if not kinds[name]], "Numbers: R², 1 is perfect"),
        ([name for name in scores if kinds[name]], "Categories: accuracy"),
    ]
    groups = [(names, title) for names, title in groups if names]
    most = max(len(names) for names, _ in groups)
    figure = Figure(figsize=(4.9 * len(groups), 1.5 + 0.3 * most), layout="constrained")
    for axes, (names, title) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        _bars(axes, names, scores, pixels, guessing, source)
        mean, raw = (sum(of[name] for name in names) / len(names) for of in (scores, pixels))
        axes.set_title(f"{title}\nmean: {source} {mean:.2f}, pixels {raw:.2f}", fontsize=11)
    axes = figure.axes[0]
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    save(figure, path)


def _bars(
    axes: Axes,
    names: Sequence[str],
    scores: Mapping[str, float],
    pixels: Mapping[str, float],
    guessing: Mapping[str, float],
    source: str,
) -> None:
    names = sorted(names, key=lambda name: scores[name])  # the best on top
    places = range(len(names))

    def shown(of: Mapping[str, float]) -> list[float]:
        return [max(0.0, of[name]) for name in names]  # below 0 a probe is worse than the mean: drawn as 0

    axes.barh([p + 0.2 for p in places], shown(scores), 0.4, color=TRAIN, label=source)
    axes.barh([p - 0.2 for p in places], shown(pixels), 0.4, color=PIXELS, label="pixels, as many components")
    axes.scatter(shown(guessing), places, marker="|", s=110, color="k", linewidth=1.3, zorder=3, label="guessing")
    for place, name in zip(places, names, strict=True):
        value = scores[name]
        axes.annotate(
            f"{value:.2f}", (max(0.0, value, pixels[name]), place), (4, 0), textcoords="offset points",
            va="center", fontsize=7.5,
        )  # fmt: skip
    axes.set_yticks(places, [plain(name.replace("_", " ")) for name in names])
    axes.tick_params(axis="y", labelsize=9)
    axes.set(xlim=(-0.005, 1.1), ylim=(-0.7, len(names) - 0.3))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
