"""How nets learn the exclusive or: error and wrong answers by iteration, how long it takes, what they answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import Tensor

from dlcourse.data.module import DataModule
from dlcourse.models.xor import XOR
from dlcourse.plots.curves import TRAIN, VALIDATION, save
from dlcourse.plots.surface import draw_surfaces

LINES = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Tol's bright colours
MOST_POINTS = 2000  # of a curve


def draw(folder: Path, model: XOR, data: DataModule) -> None:
    """`learning.png`, `iterations.png` and `surface.png` of a run into `folder`/plots."""
    plots, state = folder / "plots", model.state_dict()
    if not model.iteration:
        return
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    _draw_curves(panels, "", state, TRAIN)
    end = "has solved it" if model.stop == "solved" else f"has an error below {model.mse:g}"
    figure.suptitle(f"2-{model.hidden}-1, rate {model.lr:g}: {_nets(state)}; a net ends when it {end}")
    save(figure, plots / "learning.png")
    solved = state["solved_at"]
    if len(solved) > 1:
        _draw_iterations(plots / "iterations.png", solved, model.iteration)
    order = torch.where(solved > 0, solved, solved.max() + 1).argsort()
    count, weight = int((solved > 0).sum()), state["net.weight"]
    shown = {}
    if count:
        middle = order[(count - 1) // 2]
        shown[f"solved after {solved[middle]:,} iterations" + (", the median" if count > 1 else "")] = weight[:, middle]
    if count < len(solved):
        shown[f"not solved after {model.iteration:,}"] = weight[:, order[-1]]
    figure = Figure(figsize=(4.2 * len(shown) + 0.8, 4), layout="constrained")
    draw_surfaces(figure, shown, model.hidden)
    save(figure, plots / "surface.png")


def draw_jobs(folder: Path, jobs: Sequence[tuple[DictConfig, Mapping[str, Any]]]) -> None:
    """`learning.png` in the sweep's folder: a row a start, a line a rate, as the source drew them."""
    starts = {}
    for cfg, state in jobs:
        starts.setdefault(_start(cfg), []).append((f"rate {cfg.model.lr:g}", state))
    figure = Figure(figsize=(12, 3.2 * len(starts) + 0.4), layout="constrained")
    rows = figure.subplots(len(starts), 3, squeeze=False, sharex="col")
    for panels, (start, runs) in zip(rows, starts.items(), strict=True):
        for number, (label, state) in enumerate(runs):
            _draw_curves(panels, label, state, LINES[number % len(LINES)])
        panels[0].set_ylabel(f"{start}\nmean squared error")
        panels[0].legend()
    save(figure, folder / "learning.png")


def _start(cfg: DictConfig) -> str:
    model = cfg.model
    if model.start is not None:
        start = "given weights"
    else:
        start = f"N(0, {model.scale:g})" if model.init == "normal" else f"U(-{model.scale:g}, {model.scale:g})"
    return f"2-{model.hidden}-1 from {start}"


def _nets(state: Mapping[str, Any]) -> str:
    solved = state["solved_at"] > 0
    if len(solved) == 1:
        return f"solved in iteration {state['solved_at'][0]:,}" if solved[0] else "not solved"
    return f"{len(solved)} nets, {solved.double().mean():.1%} solved".replace("%", " %")


def _draw_curves(panels: Sequence[Axes], label: str, state: Mapping[str, Any], colour: str) -> None:
    """Mean squared error, wrong answers of four and share of solved nets by iteration, into three panels."""
    record, solved = state["_extra_state"], state["solved_at"]
    count = len(record["mse"])
    iterations = torch.arange(1, count + 1)
    share = torch.bincount(solved[solved > 0], minlength=count + 1)[1:].cumsum(0) / len(solved)
    names = ("mean squared error", "wrong answers of four", "share of nets that solved it")
    single = len(solved) == 1
    for axes, values, name in zip(panels, (record["mse"], record["wrong"], share), names, strict=True):
        keep = slice(None) if single else slice(None, None, max(1, count // MOST_POINTS))
        axes.plot(iterations[keep].numpy(), values[keep].cpu().numpy(), color=colour, label=label, linewidth=1.4)
        axes.set(xlabel="iteration", ylabel=name if single or name is names[2] else f"{name}, mean", ylim=(0, None))
        axes.grid(alpha=0.3)


def _draw_iterations(path: Path, solved: Tensor, budget: int) -> None:
    found = solved[solved > 0]
    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axes = figure.subplots()
    share = f"{len(found) / len(solved):.1%}".replace("%", " %")
    axes.set(xlabel="iterations until all four answers are right", ylabel="nets")
    axes.set_title(f"{len(found)} of {len(solved)} nets solved it within {budget:,} iterations ({share})")
    if len(found):
        axes.hist(found.tolist(), bins=60, color=TRAIN)
        median = found.double().quantile(0.5).item()
        axes.axvline(median, color=VALIDATION, linestyle="--", label=f"median {median:,.0f}")
        axes.legend()
    axes.grid(alpha=0.3)
    save(figure, path)
