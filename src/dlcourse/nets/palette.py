"""Images of a few colours, which each pixel mixes: flat areas are flat, and edges are sharp."""

import torch
from torch import Tensor, nn

MIXINGS = ("softmax", "sparsemax")
ROUNDS = 8  # of `sparsemax`: enough for 256 colours
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

    def forward(self, maps: Tensor, vectors: Tensor) -> Tensor:
        """Maps and vectors to images."""
        maps = SHARPNESS * maps
        shares = maps.softmax(1) if self.mixing == "softmax" else sparsemax(maps.float())
        colours = self.colours(vectors).unflatten(1, (-1, shares.shape[1]))
        return (colours @ shares.flatten(2)).unflatten(2, maps.shape[2:])


def sparsemax(scores: Tensor) -> Tensor:
    """The shares [N, K, ...], not negative with sum 1 over K, that are nearest to the scores (same shape).

    Martins and Astudillo, 2016 (arXiv:1602.02068): each score minus a threshold, or 0 if that is negative. The
    threshold follows from the scores above it, which are found in rounds (Michelot, 1986, doi:10.1007/BF00938486).
    """
    scores = scores - scores.detach().amax(1, keepdim=True)  # which leaves the shares as they are
    with torch.no_grad():
        threshold = torch.full_like(scores[:, :1], -1)  # no share above 0 lies below
        for _ in range(ROUNDS):
            above = (scores >= threshold).to(scores.dtype)
            threshold = ((above * scores).sum(1, keepdim=True) - 1) / above.sum(1, keepdim=True)
    threshold = ((above * scores).sum(1, keepdim=True) - 1) / above.sum(1, keepdim=True)  # now with its gradient
    return (scores - threshold).clamp_min(0)
