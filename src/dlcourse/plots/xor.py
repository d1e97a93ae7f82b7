"""How nets learn XOR: error and wrong outputs by iteration, iterations until solved, and decision surfaces."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from dlcourse.data.module import DataModule
from dlcourse.models.xor import XOR, groups
from dlcourse.plots.curves import DASHES, LINES, TRAIN, VALIDATION, save
from dlcourse.plots.surface import draw_surfaces

MOST_POINTS = 2000  # of a curve


class Group(NamedTuple):
    """Nets of one distribution and one rate: their means by iteration [T], and when each was solved [R]."""

    start: str
    rate: str
    mse: Tensor
    wrong: Tensor
    solved_at: Tensor


def draw(folder: Path, model: XOR, data: DataModule) -> None:
    """`learning.png`, `iterations.png` and `surface.png` of a run into `folder`/plots, unless it was not trained."""
    plots, state = folder / "plots", model.state_dict()
    if not model.iteration:
        return
    found = _groups(model.groups, f"{model.scale:g}", model.hidden, state)
    end = "has solved it" if model.stop == "solved" else f"has an error below {model.mse:g}"
    _draw_learning(plots / "learning.png", found, f"A net ends when it {end}")
    if model.size > 1:
        _draw_iterations(plots / "iterations.png", found, model.iteration)
    solved, weight, shown = state["solved_at"], state["net.weight"], {}
    order = torch.where(solved > 0, solved, solved.max() + 1).argsort()
    count = int((solved > 0).sum())
    if count:
        middle = order[(count - 1) // 2]
        shown[f"solved after {solved[middle]:,} iterations" + (", the median" if count > 1 else "")] = weight[:, middle]
    if count < len(solved):
        shown[f"not solved after {model.iteration:,}"] = weight[:, order[-1]]
    figure = Figure(figsize=(4.2 * len(shown) + 0.8, 4), layout="constrained")
    draw_surfaces(figure, shown, model.hidden)
    save(figure, plots / "surface.png")


def draw_jobs(folder: Path, jobs: Sequence[tuple[DictConfig, Mapping[str, Any]]]) -> None:
    """`learning.png` in the sweep's folder: one row per initialization, one line per rate, as in the source."""
    found = []
    for cfg, state in jobs:
        model: Any = OmegaConf.to_container(cfg.model)
        names = groups(model["init"], model["lr"], model["start"] is not None)
        found += _groups(names, f"{model['scale']:g}", model["hidden"], state)
    _draw_learning(folder / "learning.png", found, "")


def _groups(names: Sequence[tuple[str, float]], scale: str, hidden: int, state: Mapping[str, Any]) -> list[Group]:
    record, solved = state["_extra_state"], state["solved_at"].cpu().view(len(names), -1)
    laws = {"normal": f"N(0, {scale})", "uniform": f"U(-{scale}, {scale})", "given": "given weights"}
    return [
        Group(f"2-{hidden}-1, {laws[init]}", f"rate {rate:g}", record["mse"][:, i], record["wrong"][:, i], solved[i])
        for i, (init, rate) in enumerate(names)
    ]


def _draw_learning(path: Path, found: Sequence[Group], title: str) -> None:
    """Mean squared error, wrong outputs and share of solved nets by iteration: rows are starts, lines are rates."""
    starts = list(dict.fromkeys(group.start for group in found))
    figure = Figure(figsize=(12, 3.2 * len(starts) + 0.4), layout="constrained")
    rows = figure.subplots(len(starts), 3, squeeze=False, sharex="col")
    for panels, start in zip(rows, starts, strict=True):
        for number, group in enumerate(group for group in found if group.start == start):
            _draw_curves(panels, group, LINES[number % len(LINES)], DASHES[number % len(DASHES)])
        for axes in panels:  # after all lines, since a limit ends the automatic scale
            axes.set_ylim(bottom=0)
        panels[0].set_ylabel(f"{start}\nmean squared error")
        panels[0].legend()
    figure.suptitle(f"Learning XOR. {title}".strip(". "))
    save(figure, path)


def _draw_curves(panels: Sequence[Axes], group: Group, colour: str, dashes: Any) -> None:
    count, nets, solved = len(group.mse), len(group.solved_at), group.solved_at
    share = torch.bincount(solved[solved > 0], minlength=count + 1)[1:].cumsum(0) / nets
    keep = slice(None, None, max(1, count // MOST_POINTS) if nets > 1 else 1)
    x = torch.arange(1, count + 1)[keep].numpy()
    mean = ", mean" if nets > 1 else ""
    names = (None, f"wrong answers of four{mean}", "share of nets that solved it")
    for axes, values, name in zip(panels, (group.mse, group.wrong, share), names, strict=True):
        axes.plot(x, values[keep].numpy(), color=colour, linestyle=dashes, label=group.rate, linewidth=1.4)
        axes.set_xlabel("iteration")
        axes.grid(alpha=0.3)
        if name:
            axes.set_ylabel(name)


def _draw_iterations(path: Path, found: Sequence[Group], budget: int) -> None:
    """One histogram per group: rows are initializations, columns are rates."""
    starts, rates = (list(dict.fromkeys(group[i] for group in found)) for i in (0, 1))
    figure = Figure(figsize=(max(6.5, 4.4 * len(rates)), 3 * len(starts) + 0.6), layout="constrained")
    panels = figure.subplots(len(starts), len(rates), squeeze=False, sharex=True).flat
    for axes, group in zip(panels, found, strict=True):
        solved = group.solved_at[group.solved_at > 0]
        share = f"{len(solved) / len(group.solved_at):.1%}".replace("%", " %")
        axes.set_title(f"{group.start}, {group.rate}: {share} solved", fontsize=10)
        if len(solved):
            median = solved.double().quantile(0.5).item()
            axes.hist(solved.tolist(), bins=torch.linspace(0, budget, 61).tolist(), color=TRAIN)
            axes.axvline(median, color=VALIDATION, linestyle="--", label=f"median {median:,.0f}")
            axes.legend()
        axes.set(xlabel="iterations until all four answers are right", ylabel="nets")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.3)
    figure.suptitle(f"{len(found[0].solved_at)} nets each, at most {budget:,} iterations")
    save(figure, path)
