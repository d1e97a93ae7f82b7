"""Images of a few colours, which each pixel mixes: flat areas are flat, and edges are sharp."""

from torch import Tensor, nn

SHARPNESS = 4.0  # factor of the maps: pixels of a single colour appear early in the training


def maps_needed(colours: int, channels: int) -> int:
    """How many maps the last layer of a net outputs: one for each colour, or without a palette for each channel.

    Raises:
        ValueError: a number of colours that is neither 0 nor an integer of 2 or more.
    """
    if not isinstance(colours, int) or isinstance(colours, bool) or colours < 0 or colours == 1:
        raise ValueError(f"palette={colours} is not a number of colours: use 0 for none, or for example 16")
    return colours or channels


class Palette(nn.Module):
    """Mixes K colours: maps [N, K, H, W] and vectors [N, F] to images [N, C, H, W].

    A linear layer computes the colours of an image from its vector. The softmax of the maps says how much of each
    colour a pixel has, as the masks of Burgess et al., 2019 (arXiv:1901.11390), here each of a single colour.

    Args:
        features: F, the length of the vectors.
        colours: K.
        channels: C.
    """

    def __init__(self, features: int, colours: int, channels: int):
        super().__init__()
        self.colours = nn.Linear(features, colours * channels)

    def forward(self, maps: Tensor, vectors: Tensor) -> Tensor:
        """Maps and vectors to images."""
        shares = (SHARPNESS * maps).softmax(1).flatten(2)
        colours = self.colours(vectors).unflatten(1, (-1, shares.shape[1]))
        return (colours @ shares).unflatten(2, maps.shape[2:])
