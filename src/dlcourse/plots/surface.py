"""Decision surfaces of 2-H-1 nets over the unit square."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from dlcourse.data.xor import POINTS
from dlcourse.nets.two_layer import TwoLayer

LOW, HIGH, STEPS = -0.5, 1.5, 121


def draw_surfaces(figure: Figure, weights: Mapping[str, Tensor], hidden: int) -> None:
    """The output of nets between and around the four points, with the decision boundary.

    Args:
        figure: to draw into, a panel a net.
        weights: of a net [P] by its title.
        hidden: H.
    """
    line = torch.linspace(LOW, HIGH, STEPS, dtype=torch.float64)
    grid, steps = torch.cartesian_prod(line, line), line.numpy()
    panels = list(figure.subplots(1, len(weights), squeeze=False).flat)
    for axes, (title, weight) in zip(panels, weights.items(), strict=True):
        with torch.no_grad():
            output = TwoLayer(weight[:, None].double().cpu(), hidden)(grid).sigmoid().view(STEPS, STEPS).T.numpy()
        image = axes.pcolormesh(steps, steps, output, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
        if output.min() < 0.5 < output.max():
            axes.contour(steps, steps, output, levels=[0.5], colors="black", linewidths=1.2)
        for x, y in POINTS:
            one = x != y
            axes.plot(x, y, "o" if one else "s", color="#cc3311" if one else "#0044aa", markeredgecolor="white", ms=11)
        axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xticks=[0, 1], yticks=[0, 1], aspect="equal")
    figure.colorbar(image, ax=panels, label="output", shrink=0.8)
