"""Masks of the part of an image that is hidden and filled in by a model."""

import torch
from torch import Tensor

from dlcourse.errors import UserError


def hidden_part(name: str, height: int, width: int) -> Tensor:
    """Mask [H, W] of the hidden part of an image: `left`, `right`, `top`, `bottom` or `middle`.

    Raises:
        UserError: another name.
    """
    mask = torch.zeros(height, width, dtype=torch.bool)
    up, across = height // 2, width // 2
    every = slice(None)
    places = {
        "left": (every, slice(across)),
        "right": (every, slice(across, None)),
        "top": (slice(up), every),
        "bottom": (slice(up, None), every),
        "middle": (slice(height // 4, height - height // 4), slice(width // 4, width - width // 4)),
    }
    if name not in places:
        raise UserError(f"unknown hide={name}: use {', '.join(places)}")
    rows, columns = places[name]
    mask[rows, columns] = True
    return mask
