"""Training accuracy of perceptrons by pass and by second, for one run or for the jobs of a sweep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig

from dlcourse.data.module import DataModule
from dlcourse.models.perceptron import Perceptron
from dlcourse.plots.curves import DASHES, LINES, save


def draw(folder: Path, model: Perceptron, data: DataModule) -> None:
    """`plots/passes.png`: the run's training accuracy, and nothing for a model that was not trained."""
    if model.record["seconds"]:
        _draw(folder / "plots" / "passes.png", {model.update: model.state_dict()})


def draw_jobs(folder: Path, jobs: Sequence[tuple[DictConfig, Mapping[str, Any]]]) -> None:
    """`passes.png` in the sweep's folder: batch and online update, and all other swept values, in one plot."""
    keys = [k for k in ("update", "average", "scale", "lr", "seeds") if len({str(cfg.model[k]) for cfg, _ in jobs}) > 1]
    labels = [", ".join(_word(key, cfg.model[key]) for key in keys) or cfg.model.update for cfg, _ in jobs]
    if len(set(labels)) < len(jobs):  # the jobs differ in something else
        labels = [f"{label}, job {number}" for number, label in enumerate(labels)]
    _draw(folder / "passes.png", dict(zip(labels, (state for _, state in jobs), strict=True)))


def _word(key: str, value: Any) -> str:
    return str(value) if key == "update" else f"{key} {value}"


def _draw(path: Path, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Every net's accuracy until it stopped, thin, and the mean over the nets of their best so far, thick."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    by_pass, by_second = figure.subplots(1, 2, sharey=True)
    lowest = 1.0
    for number, (label, state) in enumerate(states.items()):
        record, colour = state["_extra_state"], LINES[number % len(LINES)]
        accuracy, seconds = record["accuracy"], torch.tensor(record["seconds"]).cumsum(0)
        ends = torch.where(state["passes"] > 0, state["passes"], len(accuracy) - 1).tolist()
        best = accuracy.cummax(0).values.mean(1)
        lowest = min(lowest, best[-1].item())
        passes = f"{sum(ends) / len(ends):.0f} passes"
        nets = f", mean of {len(ends)}" if len(ends) > 1 else ""
        for axes, x, spent in (
            (by_pass, torch.arange(len(accuracy)), passes),
            (by_second, seconds, f"{seconds[-1]:.1f} s{' for all' if nets else ''}"),
        ):
            for net, end in enumerate(ends):
                axes.plot(
                    x[: end + 1].numpy(), accuracy[: end + 1, net].numpy(), color=colour, linewidth=0.5, alpha=0.35
                )
            axes.plot(
                x.numpy(),
                best.numpy(),
                color=colour,
                linestyle=DASHES[number % len(DASHES)],
                linewidth=2.2,
                label=f"{label}: best so far{nets}; {spent}",
            )
    # The first passes rise from a tenth; the later ones are to be compared.
    low = 0.75 if lowest > 0.8 else 0.0
    by_pass.set(xlabel="passes over the training set", ylabel=f"training accuracy (from {low:g})", ylim=(low, 1.005))
    by_second.set(xlabel="seconds of training, all nets together", ylim=(low, 1.005))
    figure.suptitle("Perceptrons: training accuracy, thin for each net until it stopped")
    for axes in (by_pass, by_second):
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize=8)
    save(figure, path)
