"""Images of a few colours, which each pixel mixes: flat areas are flat, and edges are sharp."""

from typing import Any

import torch
from torch import Tensor, nn

MIXINGS = ("softmax", "sparsemax")
ROUNDS = 16  # of `sparsemax` at most; usually three suffice
TOLERANCE = 1e-6  # of the shares' sum
SHARPNESS = 4.0  # factor of the maps: pixels of a single colour appear early in the training


def maps_needed(colours: int, channels: int) -> int:
    """How many maps the last layer of a net outputs: one for each colour, or without a palette for each channel.

    Raises:
        ValueError: a number of colours that is neither 0 nor an integer of 2 or more.
    """
    if not isinstance(colours, int) or isinstance(colours, bool) or colours < 0 or colours == 1:
        raise ValueError(f"palette={colours} is not a number of colours: use 0 for none, or for example 16")
    return colours or channels


def make_palette(features: int, colours: int, channels: int, mixing: str) -> "Palette | None":
    """A `Palette`, or None for 0 colours.

    Raises:
        ValueError: an unknown `mixing`, or one that nothing uses.
    """
    if mixing not in MIXINGS:
        raise ValueError(f"mixing={mixing} is unknown: use {' or '.join(MIXINGS)}")
    if not colours and mixing != MIXINGS[0]:
        raise ValueError(f"mixing={mixing} needs a palette: add for example palette=16")
    return Palette(features, colours, channels, mixing) if colours else None


class Palette(nn.Module):
    """Mixes K colours: maps [N, K, H, W] and vectors [N, F] to images [N, C, H, W].

    A linear layer computes the colours of an image from its vector. The maps say how much of each colour a pixel has,
    as the masks of Burgess et al., 2019 (arXiv:1901.11390), here each of a single colour.

    Args:
        features: F, the length of the vectors.
        colours: K.
        channels: C.
        mixing: turns maps into shares: `softmax`, or `sparsemax`, which makes most of them exactly 0.
    """

    def __init__(self, features: int, colours: int, channels: int, mixing: str = "softmax"):
        super().__init__()
        self.colours, self.mixing = nn.Linear(features, colours * channels), mixing

    def forward(self, maps: Tensor, vectors: Tensor, sharpness: float = 1.0) -> Tensor:
        """Maps and vectors to images; above a sharpness of 1 a pixel is more nearly of a single colour."""
        maps = SHARPNESS * sharpness * maps.contiguous()  # sums over colours are faster than with the channels last
        shares = maps.softmax(1) if self.mixing == "softmax" else sparsemax(maps.float())
        colours = self.colours(vectors).unflatten(1, (-1, shares.shape[1]))
        return (colours @ shares.flatten(2)).unflatten(2, maps.shape[2:])


def sparsemax(scores: Tensor) -> Tensor:
    """The shares [N, K, ...], not negative with sum 1 over K, that are nearest to the scores (same shape).

    Martins and Astudillo, 2016 (arXiv:1602.02068): each score minus a threshold, or 0 if that is negative.
    """
    return _Sparsemax.apply(scores)


class _Sparsemax(torch.autograd.Function):
    """With its own gradient: autograd would store every round and take three times as long."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        """The threshold is found by Newton's method on the sum of the shares, from below (Michelot, 1986)."""
        scores = scores - scores.amax(1, keepdim=True)
        threshold, shares = torch.full_like(scores[:, :1], -1), torch.empty_like(scores)  # no share above 0 lies below
        for _ in range(ROUNDS):
            torch.sub(scores, threshold, out=shares).clamp_min_(0)
            excess = shares.sum(1, keepdim=True) - 1
            step = excess / shares.sign_().sum(1, keepdim=True)
            threshold += step
            # an exported graph cannot stop early
            if not torch.compiler.is_exporting() and step.max() < TOLERANCE:
                break
        torch.sub(scores, threshold, out=shares).clamp_min_(0)
        ctx.save_for_backward(shares)
        return shares

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # ty: ignore[incompatible-method-override]
        """Scores with a share above 0 get the gradient minus its mean over them, the others 0."""
        (shares,) = ctx.saved_tensors
        above = shares.sign()
        gradient = gradient * above
        return gradient - above * (gradient.sum(1, keepdim=True) / above.sum(1, keepdim=True))
