"""An MLP on points in the plane: data, training in small portions, and pictures of the decision boundary."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcourse.app.pictures import frame, rendered
from dlcourse.errors import UserError
from dlcourse.nets.mlp import MLP

SIDE = 480  # pixels of the picture
RANGE = 1.5  # the plane goes from -RANGE to RANGE
GRID = 81  # points a side at which the net is asked
COUNT = 160  # points of a made-up set
CLASSES = ("blue squares", "red discs")
COLOURS, MARKS = ("#0044aa", "#cc3311"), ("s", "o")

Point = tuple[float, float, int]  # x, y, class


class Frame(NamedTuple):
    """A moment of a training: the picture uint8 [S, S, 3], steps done, mean loss, share of right answers."""

    picture: np.ndarray
    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Settings:
    """Of the net and its training: hidden layers, units of each, activation, learning rate, steps."""

    depth: int = 2
    width: int = 8
    activation: str = "tanh"
    rate: float = 0.02
    steps: int = 600


def made_up(name: str, seed: int = 0) -> list[Point]:
    """Points of two classes: `XOR`, `two moons`, `circles` or `spiral`; `none` is an empty plane."""
    from sklearn.datasets import make_circles, make_moons

    draws = np.random.default_rng(seed)
    labels = np.arange(COUNT) % 2
    if name == "XOR":
        signs = draws.choice([-1, 1], COUNT)
        centres = 0.8 * np.stack([signs, np.where(labels == 1, -signs, signs)], 1)
        x = centres + draws.normal(0, 0.18, (COUNT, 2))
    elif name == "two moons":
        x, labels = make_moons(COUNT, noise=0.1, random_state=seed)
        x = (x - [0.5, 0.25]) * [0.85, 1.2]
    elif name == "circles":
        x, labels = make_circles(COUNT, noise=0.06, factor=0.45, random_state=seed)
        x = 1.1 * x
    elif name == "spiral":
        turn = np.sqrt(np.linspace(0.02, 1, COUNT)) * 3 * np.pi
        x = 0.14 * (turn * [np.cos(turn + np.pi * labels), np.sin(turn + np.pi * labels)]).T
        x += draws.normal(0, 0.02, x.shape)
    elif name == "none":
        return []
    else:
        raise UserError(f"unknown points {name}: use XOR, two moons, circles, spiral or none")
    x = x.clip(-RANGE, RANGE)
    return [(float(a), float(b), int(label)) for (a, b), label in zip(x, labels, strict=True)]


def place(points: Sequence[Point], pixel: Sequence[float], label: int) -> list[Point]:
    """The points with one more, where the picture was clicked.

    Args:
        points: so far.
        pixel: column and row of the picture.
        label: its class, 0 or 1.
    """
    x, y = ((2 * (value + 0.5) / SIDE - 1) * RANGE for value in pixel)
    return [*points, (x, -y, label)]


def picture(points: Sequence[Point], net: torch.nn.Module | None = None) -> np.ndarray:
    """The plane with its points; with a net, its probability of the red class and the decision boundary."""
    figure, axes = frame(SIDE)
    axes.set(xlim=(-RANGE, RANGE), ylim=(-RANGE, RANGE))
    if net is not None:
        line = torch.linspace(-RANGE, RANGE, GRID)
        with torch.no_grad():
            share = net(torch.cartesian_prod(line, line)).sigmoid().reshape(GRID, GRID).T.numpy()
        bounds = (-RANGE, RANGE, -RANGE, RANGE)
        axes.imshow(share, cmap="RdBu_r", vmin=-0.1, vmax=1.1, origin="lower", extent=bounds, interpolation="bilinear")
        if share.min() < 0.5 < share.max():
            axes.contour(line.numpy(), line.numpy(), share, levels=[0.5], colors="black", linewidths=1.5)
    else:
        axes.axhline(0, color="#bbbbbb", linewidth=0.8)
        axes.axvline(0, color="#bbbbbb", linewidth=0.8)
    for label, (colour, mark) in enumerate(zip(COLOURS, MARKS, strict=True)):
        some = [(x, y) for x, y, which in points if which == label]
        if some:
            axes.scatter(*zip(*some, strict=True), c=colour, marker=mark, s=42, edgecolors="white", linewidths=0.8)
    return rendered(figure)


def train(points: Sequence[Point], settings: Settings, seed: int = 0) -> Generator[Frame]:
    """Train an MLP with Adam on all points at once; yields frames at growing intervals, the first one before training.

    Args:
        points: of both classes.
        settings: of the net and the training.
        seed: of the first weights.

    Raises:
        UserError: a class is empty.
    """
    if {label for *_, label in points} != {0, 1}:
        raise UserError("the net needs points of both classes: click into the plane, or choose XOR")
    x = torch.tensor([(a, b) for a, b, _ in points])
    y = torch.tensor([float(label) for *_, label in points])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = [settings.width] * settings.depth
        net = MLP((2,), (1,), widths, activation=settings.activation)
    optimizer = torch.optim.Adam(net.parameters(), settings.rate)
    yield _frame(points, net, x, y, 0)
    done = 0
    while done < settings.steps:
        portion = min(max(2, done // 10), 25, settings.steps - done)
        for _ in range(portion):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(net(x)[:, 0], y).backward()
            optimizer.step()
        done += portion
        yield _frame(points, net, x, y, done)


def _frame(points: Sequence[Point], net: Any, x: Tensor, y: Tensor, step: int) -> Frame:
    with torch.no_grad():
        output = net(x)[:, 0]
    loss = F.binary_cross_entropy_with_logits(output, y).item()
    return Frame(picture(points, net), step, loss, ((output > 0) == (y > 0.5)).float().mean().item())
