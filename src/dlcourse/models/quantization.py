"""Quantisation of weights to eight or sixteen bits."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def weights_of(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """A checkpoint's weights by name; those that `packed` stored as integers are scaled back."""
    state = checkpoint["state_dict"]
    found = {name: value for name, value in state.items() if not name.endswith(":scale")}
    for name, value in found.items():
        if (scale := state.get(f"{name}:scale")) is not None:
            found[name] = value.float() * scale.view(-1, *[1] * (value.ndim - 1))
    return found


def packed(state: Mapping[str, Tensor], bits: int = 8) -> dict[str, Tensor]:
    """Compress weights.

    Args:
        state: tensors by name; integers stay as they are.
        bits: 8, or 16 for half precision throughout.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if not value.is_floating_point():
            found[name] = value
        elif bits == 8 and value.ndim > 1:
            rows = value.float().flatten(1)
            scale = rows.abs().amax(1).clamp_min(1e-12) / 127
            found[name] = (rows / scale[:, None]).round().to(torch.int8).view_as(value).contiguous()
            found[f"{name}:scale"] = scale
        else:
            found[name] = value.half()
    return found
