"""The number of tries until a random net solves XOR: the histogram and the geometric distribution."""

import math
from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from dlcourse.data.module import DataModule
from dlcourse.models.xor_search import XORSearch
from dlcourse.plots.curves import ANSWER, TRAIN, save
from dlcourse.plots.surface import draw_surfaces

BINS = 40


def draw(folder: Path, model: XORSearch, data: DataModule) -> None:
    """`tries.png` and `surface.png` of a run into `folder`/plots; nothing where no net was found."""
    tries = model.tries[model.tries > 0].double().cpu()
    if not len(tries):
        return
    mean, count = tries.mean().item(), len(tries)
    figure = Figure(figsize=(11, 4), layout="constrained")
    histogram, survival = figure.subplots(1, 2)
    name = f"N(0, {model.scale:g})" if model.init == "normal" else f"U(-{model.scale:g}, {model.scale:g})"
    sd = f", sd {tries.std():,.0f}" if count > 1 else ""
    figure.suptitle(
        f"2-{model.hidden}-1, all weights from {name}: {count:,} attempts, mean {mean:,.0f} tries{sd}; "
        f"{model.tries_per_second / 1e6:.1f} million tries a second"
    )
    law = "geometric distribution of the same mean"
    # P(tries > t) = (1 - p)^t with p = 1 / mean.
    rate = -math.log1p(-1 / mean) if mean > 1 else math.inf
    edges = torch.linspace(0, max(tries.max().item(), 1), BINS + 1, dtype=torch.float64).round()
    histogram.hist(tries.tolist(), bins=edges.unique().tolist(), color=TRAIN, label="attempts")
    x = edges.unique()
    expected = count * (torch.exp(-rate * x[:-1]) - torch.exp(-rate * x[1:]))
    histogram.plot(((x[:-1] + x[1:]) / 2).numpy(), expected.numpy(), color=ANSWER, linewidth=1.8, label=law)
    histogram.set(xlabel="tries until a net solves it", ylabel="attempts in a bin")
    order = tries.sort().values
    left = 1 - torch.arange(count, dtype=torch.float64) / count
    survival.step(order.numpy(), left.numpy(), where="pre", color=TRAIN, label="attempts")
    survival.plot(
        x.numpy(), torch.exp(-rate * x).clamp_min(0.3 / count).numpy(), color=ANSWER, linewidth=1.8, label=law
    )
    survival.set(xlabel="tries", ylabel="share of attempts that take more", yscale="log")
    for axes in (histogram, survival):
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, folder / "plots" / "tries.png")
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    shown = {f"after {int(t):,} tries": model.net.weight.detach()[:, i] for i, t in enumerate(model.tries[:3].tolist())}
    draw_surfaces(figure, {k: v for k, v in shown.items() if k != "after 0 tries"}, model.hidden)
    save(figure, folder / "plots" / "surface.png")
