"""Plots of a GAN: both losses, and the accuracy of the discriminator."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.data.module import DataModule
from dlcourse.plots.curves import TEST, TRAIN, VALIDATION, save
from dlcourse.runs.files import by_epoch, read_rows

PANELS = {
    "Losses": (
        ("train/discriminator_loss", "discriminator", TRAIN, "-"),
        ("train/generator_loss", "generator", VALIDATION, "--"),
    ),
    "Discriminator's accuracy": (
        ("train/real_accuracy", "real", TRAIN, "-"),
        ("val/real_accuracy", "real, held out", TEST, ":"),
        ("train/drawn_accuracy", "drawn", VALIDATION, "--"),
        ("val/drawn_accuracy", "drawn, averaged generator", "#aa3377", "-."),
    ),
}


def draw(folder: Path, model: Any, data: DataModule) -> None:
    """`plots/adversaries.png`, from metrics.csv."""
    del model, data
    rows = read_rows(folder / "metrics.csv")
    if not rows:
        return
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        for name, label, colour, dashes in lines:
            if points := by_epoch(rows, name):
                axes.plot(*zip(*points, strict=True), color=colour, linestyle=dashes, label=label, marker=".")
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
    figure.axes[1].set_ylim(-0.02, 1.02)
    save(figure, folder / "plots" / "adversaries.png")
