"""A small U-Net (Ronneberger et al., 2015, arXiv:1505.04597) from an image and a time to an image of that shape."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.nets.layers import padding, picture_shape
from dlcourse.nets.palette import make_palette, maps_needed

FREQUENCIES = 32  # of the time's sines and cosines


class UNet(nn.Module):
    """Residual blocks at a few sizes, which get the time and the condition, with shortcuts between equal sizes.

    The first layer folds squares of `patch` x `patch` pixels into channels, and the last one unfolds them: a fourth of
    the work for a patch of 2. If the sides of an image do not fit, it is padded and cropped again.

    Args:
        in_shape: channels, height and width of the images.
        outputs: not used; the output has the shape of the input.
        conditions: length of the vectors that say what the image shows; 0 without them.
        widths: channels at each size, the largest size first; each further size halves the side.
        blocks: residual blocks at each size, on the way down and on the way up.
        patch: side of the squares.
        attention: self-attention between all places of the smallest size (Vaswani et al., 2017, arXiv:1706.03762).
        palette: number of colours that an image mixes, see `Palette`; 0: no limit.
        mixing: `softmax` or `sparsemax`, see `Palette`.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        outputs: tuple[int, ...] = (),
        conditions: int = 0,
        widths: Sequence[int] = (32, 64, 96),
        blocks: int = 1,
        patch: int = 2,
        attention: bool = True,
        palette: int = 0,
        mixing: str = "softmax",
    ):
        super().__init__()
        colours, *sides = picture_shape(in_shape)
        if not widths or any(not isinstance(width, int) or width < 1 for width in widths):
            raise ValueError(f"widths={list(widths)} must be positive integers: use for example [32,64,96]")
        if blocks < 1 or patch < 1:
            raise ValueError(f"blocks={blocks} and patch={patch} must be 1 or more: use for example 1 and 2")
        self.padding = padding(sides, patch * 2 ** (len(widths) - 1))
        self.patch, channels, embedding = patch, colours * patch**2, 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.condition = nn.Linear(conditions, embedding, bias=False) if conditions else None
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up = nn.ModuleList()
        for width in widths:
            self.down.append(nn.ModuleList(Block(width, width, embedding) for _ in range(blocks)))
        for before, after in pairwise(widths):
            self.shrink.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
        self.attention = Attention(widths[-1]) if attention else nn.Identity()
        self.middle = Block(widths[-1], widths[-1], embedding)
        below = widths[-1]
        for width in reversed(widths):
            first = Block(below + width, width, embedding)  # what comes from below, and the shortcut
            self.up.append(nn.ModuleList([first, *(Block(width, width, embedding) for _ in range(blocks - 1))]))
            below = width
        last = nn.Conv2d(widths[0], maps_needed(palette, colours) * patch**2, 3, padding=1)
        self.head = nn.Sequential(_norm(widths[0]), nn.SiLU(), last)
        self.palette = make_palette(widths[-1] + embedding, palette, colours, mixing)
        if not palette:  # with a palette, the maps of its colours must differ from the start
            for values in last.parameters():
                nn.init.zeros_(values)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor | None = None, sharpness: float = 1.0) -> Tensor:
        """Images [N, C, H, W], times [N] in 0 to 1 and conditions [N, K] or None to [N, C, H, W].

        `sharpness` is that of the palette, if there is one.
        """
        embedding = self.time(_waves(time))
        if self.condition is not None and condition is not None:
            embedding = embedding + self.condition(condition)
        embedding = F.silu(embedding)
        if any(self.padding):
            x = F.pad(x, self.padding, mode="replicate")
        x = self.stem(F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last))
        seen = []
        for i, blocks in enumerate(self.down):
            x = self.shrink[i - 1](x) if i else x
            for block in blocks:  # ty: ignore[not-iterable]
                x = block(x, embedding)
            seen.append(x)
        x = self.middle(self.attention(x), embedding)
        middle = x
        for i, blocks in enumerate(self.up):
            x = torch.cat([F.interpolate(x, scale_factor=2.0) if i else x, seen.pop()], 1)
            for block in blocks:  # ty: ignore[not-iterable]
                x = block(x, embedding)
        x = F.pixel_shuffle(self.head(x), self.patch)
        if self.palette is not None:
            x = self.palette(x, torch.cat([middle.mean((2, 3)), embedding], 1), sharpness)
        return F.pad(x, [-size for size in self.padding]) if any(self.padding) else x


class Block(nn.Module):
    """Two convolutions and a shortcut; time and condition scale and shift the maps between them (FiLM).

    Args:
        before, after: channels.
        embedding: length of the vectors that scale and shift (Perez et al., 2017, arXiv:1709.07871).
    """

    def __init__(self, before: int, after: int, embedding: int):
        super().__init__()
        self.first = nn.Sequential(_norm(before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1))
        self.film = nn.Linear(embedding, 2 * after)
        self.norm = _norm(after)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        nn.init.zeros_(self.second.weight)  # a block starts as its shortcut
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Maps [N, before, H, W] and vectors [N, embedding] to maps [N, after, H, W]."""
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, 1)
        maps = torch.addcmul(shift, self.norm(self.first(x)), scale + 1)
        return self.shortcut(x) + self.second(F.silu(maps))


class Attention(nn.Module):
    """Self-attention with one head between all places of a map, added to it."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = _norm(channels)
        self.three = nn.Conv2d(channels, 3 * channels, 1)  # query, key and value
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        parts = self.three(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1)  # one head, which ONNX wants to see
        query, key, value = parts.chunk(3, 3)
        found = F.scaled_dot_product_attention(query, key, value).squeeze(1)
        return x + self.out(found.transpose(1, 2).unflatten(2, x.shape[2:]))


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(math.gcd(8, channels), channels)


def _waves(time: Tensor) -> Tensor:
    """Sines and cosines [N, 64] of times [N], with wavelengths from 6 to 0.06."""
    rates = torch.logspace(0, 2, FREQUENCIES, device=time.device, dtype=time.dtype)
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
