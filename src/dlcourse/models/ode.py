"""Solvers of the differential equation that a flow follows from noise to an image, and back."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

SOLVERS = ("heun", "euler")

Velocity = Callable[[Tensor, "float | Tensor"], Tensor]  # of points [N, C, H, W] at a time below 1


def solve(
    velocity: Velocity,
    x: Tensor,
    steps: int,
    solver: str,
    start: float = 0.0,
    end: float = 1.0,
    after_step: Callable[[Tensor, float], Tensor] | None = None,
) -> Tensor:
    """Follow velocities from points at one time to another, which may be earlier.

    Args:
        velocity: gives the velocities of points at a time.
        x: the points [N, C, H, W].
        steps: number of equal steps.
        solver: one of `SOLVERS`, see `dlcourse.models.flow.Flow`.
        start, end: the times, from 0 to 1.
        after_step: changes the points, given their time; not used by `torch.export`.

    Returns:
        The points [N, C, H, W] at the end.
    """
    # Times by numpy: torch.export cannot read the numbers of a tensor.
    times = list(pairwise(np.linspace(start, end, steps + 1).tolist()))
    if torch.compiler.is_exporting():
        return _solve_in_a_loop(velocity, x, times, solver)
    for time, after in times:
        x = _step(velocity, x, time, after, solver, at_image=1.0 in (time, after))
        x = after_step(x, after) if after_step is not None else x
    return x


def _step(
    velocity: Velocity, x: Tensor, time: float | Tensor, after: float | Tensor, solver: str, at_image: bool
) -> Tensor:
    """The points after one step from `time` to `after`.

    At time 1 no noise is left that the velocity could remove: the step there, `at_image`, has one evaluation.
    """
    found = velocity(x, min(time, after) if at_image else time)
    if solver == "heun" and not at_image:
        found = (found + velocity(x + (after - time) * found, after)) / 2
    return x + (after - time) * found


def _solve_in_a_loop(velocity: Velocity, x: Tensor, times: list[tuple[float, float]], solver: str) -> Tensor:
    """`solve` from or to time 1 with a loop of torch.export, whose program would contain each step otherwise."""
    from torch._higher_order_ops.scan import scan

    def step(x: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        return _step(velocity, x, times[0], times[1], solver, at_image=False), times[:1].clone()

    from_image = 1.0 in times[0]
    if from_image:
        x = _step(velocity, x, *times[0], solver, at_image=True)
    if inner := [pair for pair in times if 1.0 not in pair]:
        x = scan(step, x.contiguous(), torch.tensor(inner))[0]  # scan needs one layout for all steps
    return x if from_image else _step(velocity, x, *times[-1], solver, at_image=True)
