"""Muon: momentum with orthogonalized updates for matrices, and AdamW for all other parameters.

Also a shortcut for all optimizers on a CPU.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcourse.training.precision import has_bfloat16

# Quintic Newton-Schulz iteration of Jordan et al., 2024 (Muon): drives all singular values to about one.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def skip_graph_capture_check(optimizer: Optimizer) -> None:
    """Skip an optimizer's search for a GPU at each step; for weights on the CPU.

    Torch's Adam checks before each step whether a CUDA graph is being captured. With Lightning imported and without a
    GPU, this searches for NVIDIA's library on the disk each time, which takes a tenth of a small net's step.
    """
    if hasattr(optimizer, "_accelerator_graph_capture_health_check"):
        vars(optimizer)["_accelerator_graph_capture_health_check"] = _nothing


def _nothing() -> None:
    """Replaces a check that is not needed on a CPU."""


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """An approximation of the nearest semi-orthogonal matrix [M, N], with singular values between 0.7 and 1.2."""
    a, b, c = _COEFFICIENTS
    x = matrix.to(torch.bfloat16 if has_bfloat16(matrix.device) else torch.float32)  # emulated: 7 times as slow
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(Optimizer):
    """Muon for weights of two or more dimensions (convolutions as matrices), AdamW for gains and biases.

    torch.optim.Muon does not accept the four-dimensional weights of convolutions.

    Args:
        params: all parameters of a net.
        lr: learning rate; the size of an update is about that of AdamW, 0.2 lr per weight.
        momentum: Nesterov momentum of Muon.
        weight_decay: decoupled, for the matrices.
        betas, eps: of AdamW, which uses the same learning rate.
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
        """Update all parameters that have a gradient."""
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
        # The scale gives each entry the size of an AdamW update (Liu et al., 2025, arXiv:2502.16982).
        scale = 0.2 * max(update.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalize(update).view(parameter.shape), alpha=-group["lr"] * scale)

    def _adam_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """All parameters in each operation; in a loop over them a GPU would wait for Python."""
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
