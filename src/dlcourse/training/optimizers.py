"""Muon: momentum whose matrices are made orthogonal, with AdamW for everything that is no matrix.

Also what all optimisers are spared on a CPU.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# Quintic Newton-Schulz iteration of Jordan et al., 2024 (Muon): drives all singular values to about one.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def skip_graph_capture_check(optimizer: Optimizer) -> None:
    """Let an optimiser of weights on the CPU not look for a GPU at each step.

    Torch's Adam asks before each step whether a GPU is recording a graph of it. Where Lightning is imported and there
    is no GPU, that looks for NVIDIA's library on the disk each time: a tenth of a small net's step.
    """
    if hasattr(optimizer, "_accelerator_graph_capture_health_check"):
        vars(optimizer)["_accelerator_graph_capture_health_check"] = _nothing


def _nothing() -> None:
    """In the place of a check that a CPU has no need of."""


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix [M, N], roughly: singular values between 0.7 and 1.2."""
    a, b, c = _COEFFICIENTS
    x = matrix.bfloat16()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(Optimizer):
    """Muon for weights of two and more dimensions, convolutions taken as matrices; AdamW for gains and biases.

    torch.optim.Muon refuses the four dimensions of a convolution's weights.

    Args:
        params: all parameters of a net.
        lr: Muon's rate; an update changes a weight by about lr times 0.2, as AdamW's would.
        momentum: of Muon, Nesterov's.
        weight_decay: decoupled, of the matrices.
        betas, eps: AdamW's, for the rest, at the same rate.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 2e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ):
        if lr <= 0:
            raise ValueError(f"lr={lr} must be above 0")
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "betas": tuple(betas), "eps": eps}
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            plain = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim < 2:
                    plain.append(parameter)
                else:
                    self._matrix_step(parameter, parameter.grad, group)
            if plain:
                self._adam_step(plain, group)
        return loss

    def _matrix_step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(momentum, group["momentum"]).reshape(len(parameter), -1)
        # The scale gives each entry the size that AdamW's would have (Liu et al., 2025, arXiv:2502.16982).
        scale = 0.2 * max(update.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalize(update).view(parameter.shape), alpha=-group["lr"] * scale)

    def _adam_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """All of them in each operation: one by one, a GPU would wait for Python."""
        first, second = group["betas"]
        for parameter in parameters:
            if not (state := self.state[parameter]):
                state |= {"step": 0, "mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
            state["step"] += 1
        states = [self.state[parameter] for parameter in parameters]
        means, squares = ([state[name] for state in states] for name in ("mean", "square"))
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        sizes = torch._foreach_div(squares, [1 - second ** state["step"] for state in states])
        torch._foreach_sqrt_(sizes)
        torch._foreach_add_(sizes, group["eps"])
        rates = [-group["lr"] / (1 - first ** state["step"]) for state in states]
        torch._foreach_addcdiv_(parameters, means, sizes, rates)
