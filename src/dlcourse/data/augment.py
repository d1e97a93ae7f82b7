"""Augmentation of a batch on its device, each sample with its own draw."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FLIPS = ("none", "random", "alternating")
OUTSIDE = ("mirror", "nearest", "darkest")
AXES = ("together", "apart")


class Augment:
    """Random changes of grey or colour pictures. Every option is the largest change; 0 switches it off.

    Args:
        crop: pixels either way by which a crop of the picture, padded by its mirror image, is shifted.
        flip: left-right mirror: `random`, or `alternating`: half of the pictures in one epoch, the other half in the
            next, so that two epochs show each picture both ways (Jordan, 2024, arXiv:2404.00498).
        vertical_flip: upside-down mirror of half of the pictures.
        rotation: degrees either way.
        zoom: lowest and highest enlargement.
        zoom_axes: `together` enlarges both axes alike; `apart` draws for each, which changes the proportions too.
        shear: degrees either way.
        shift: part of the side, either way and along both axes.
        outside: what rotation, zoom, shear and shift bring into view from beyond the border: the picture's `mirror`
            image, the `nearest` pixel of its border, or its `darkest` level, which suits strokes on a black ground.
        brightness: grey levels either way.
        noise: standard deviation in grey levels.
        blur: standard deviation in pixels of the widest Gaussian blur.
        reflection: grey levels that a soft bright spot adds at its middle.
        cutout: side in pixels of a square set to the batch's mean (DeVries and Taylor, 2017, arXiv:1708.04552).
        erasing: chance of a rectangle of noise, 2 to 33 % of the picture (Zhong et al., 2017, arXiv:1708.04896).
    """

    def __init__(
        self,
        crop: int = 0,
        flip: str = "none",
        vertical_flip: bool = False,
        rotation: float = 0,
        zoom: Sequence[float] = (1, 1),
        zoom_axes: str = "together",
        shear: float = 0,
        shift: float = 0,
        outside: str = "mirror",
        brightness: float = 0,
        noise: float = 0,
        blur: float = 0,
        reflection: float = 0,
        cutout: int = 0,
        erasing: float = 0,
    ):
        if len(zoom) != 2 or not 0 < zoom[0] <= zoom[1]:
            raise ValueError(
                f"data.augment.zoom={list(zoom)} must be a lowest and a highest enlargement: [0.9,1.1], say"
            )
        if flip not in FLIPS:
            raise ValueError(f"data.augment.flip={flip} is unknown: take {', '.join(FLIPS)}")
        if outside not in OUTSIDE:
            raise ValueError(f"data.augment.outside={outside} is unknown: take {', '.join(OUTSIDE)}")
        if zoom_axes not in AXES:
            raise ValueError(f"data.augment.zoom_axes={zoom_axes} is unknown: take {', '.join(AXES)}")
        if not 0 <= erasing <= 1:
            raise ValueError(f"data.augment.erasing={erasing} is no probability: take 0 to 1")
        if min(crop, cutout) < 0:
            raise ValueError("data.augment.crop and data.augment.cutout are numbers of pixels: take 0 or more")
        self.crop, self.flip, self.vertical_flip = crop, flip, vertical_flip
        self.rotation, self.zoom, self.shear, self.shift = rotation, tuple(zoom), shear, shift
        self.outside, self.zoom_axes = outside, zoom_axes
        self.brightness, self.noise, self.blur, self.reflection = brightness, noise, blur, reflection
        self.cutout, self.erasing = cutout, erasing
        self.moves = bool(crop or flip != "none" or vertical_flip)
        self.warps = bool(rotation or shear or shift or self.zoom != (1, 1))
        self.recolours = bool(brightness or noise or blur or reflection or cutout or erasing)
        self.changes = self.moves or self.warps or self.recolours

    def __call__(
        self, pictures: Tensor, generator: torch.Generator, index: Tensor | None = None, epoch: int = 0
    ) -> Tensor:
        """Changed pictures of the same shape and type.

        Args:
            pictures: [N, H, W] or [N, H, W, C] on any device; uint8, or floats in any units.
            generator: of all draws, on the same device.
            index: each picture's number in its set [N], for the alternating flip; its place in the batch otherwise.
            epoch: number of the epoch, for the same.
        """
        if not self.changes:
            return pictures
        if pictures.ndim < 3:
            raise ValueError("plain features cannot be augmented as pictures: take data/augment=none")

        def uniform(*shape: int) -> Tensor:
            """Draws in [-1, 1]."""
            return torch.rand(len(pictures), *shape, device=pictures.device, generator=generator) * 2 - 1

        if self.moves:
            index = torch.arange(len(pictures)) if index is None else index
            pictures = self._move(pictures, uniform, index.to(pictures.device), epoch)
        if not (self.warps or self.recolours):
            return pictures
        grey = pictures.ndim == 3
        x = (pictures[:, None] if grey else pictures.permute(0, 3, 1, 2)).float()
        if self.warps:
            x = self._warp(x, uniform)
        if self.reflection:
            x += self.reflection * self._spot(x, uniform)
        if self.blur:
            x = _blur(x, self.blur * uniform(1).abs(), self.blur)
        if self.brightness:
            x += self.brightness * uniform(1, 1, 1)
        if self.noise:
            x += self.noise * torch.randn(x.shape, device=x.device, generator=generator)
        if self.cutout:
            half = uniform(1).fill_(self.cutout / 2)
            x = torch.where(_rectangle(x, uniform, half, half), x.mean((0, 2, 3), keepdim=True), x)
        if self.erasing:
            x = self._erase(x, uniform, generator)
        if pictures.dtype == torch.uint8:
            x = x.round_().clamp_(0, 255).to(torch.uint8)
        return x[:, 0] if grey else x.permute(0, 2, 3, 1)

    def _move(self, x: Tensor, uniform, index: Tensor, epoch: int) -> Tensor:
        """Crop and flips in one gather of whole pixels."""
        rows, columns = (torch.arange(side, device=x.device).expand(len(x), -1) for side in x.shape[1:3])
        if self.crop:
            # each of the 2 crop + 1 offsets equally often
            offset = ((uniform(2) + 1) / 2 * (2 * self.crop + 1)).long().clamp_max(2 * self.crop) - self.crop
            rows, columns = _mirrored(rows + offset[:, :1]), _mirrored(columns + offset[:, 1:])
        if self.vertical_flip:
            rows = torch.where(uniform(1) < 0, rows.flip(1), rows)
        if self.flip == "random":
            columns = torch.where(uniform(1) < 0, columns.flip(1), columns)
        elif self.flip == "alternating":
            # which half comes first is a hash of the picture's number (Knuth's multiplier), not its parity:
            # neighbours in a sorted set should not be flipped in turn
            first = (index * 2654435761 >> 16) & 1
            columns = torch.where(((first + epoch) % 2 == 1)[:, None], columns.flip(1), columns)
        count, height, width = x.shape[:3]
        first = torch.arange(count, device=x.device)[:, None] * height
        place = ((first + rows) * width)[:, :, None] + columns[:, None, :]
        # Pixels as rows of a table: on the CPU 3 times as fast as indexing by picture, row and column.
        return x.reshape(count * height * width, -1).index_select(0, place.view(-1)).view(x.shape)

    def _warp(self, x: Tensor, uniform) -> Tensor:
        """Rotation, shear, zoom and shift in one resampling."""
        angle = torch.deg2rad(self.rotation * uniform())
        shear = torch.tan(torch.deg2rad(self.shear * uniform()))
        low, high = self.zoom
        wide = low + (high - low) * (uniform() + 1) / 2
        shift = 2 * self.shift * uniform(2)
        tall = low + (high - low) * (uniform() + 1) / 2 if self.zoom_axes == "apart" else wide
        cos, sin = angle.cos() / tall, angle.sin() / tall
        a, d = (angle.cos() / wide, angle.sin() / wide) if self.zoom_axes == "apart" else (cos, sin)
        a, b, d, e = (factor[:, None] for factor in (a, shear * cos - sin, d, shear * sin + cos))
        grid = _affine_grid((a, b, shift[:, :1]), (d, e, shift[:, 1:]), x.shape[2:])
        if self.outside != "darkest":
            beyond = "reflection" if self.outside == "mirror" else "border"
            return F.grid_sample(x, grid, padding_mode=beyond, align_corners=False)
        darkest = x.amin((1, 2, 3), keepdim=True)
        return F.grid_sample(x - darkest, grid, padding_mode="zeros", align_corners=False) + darkest

    def _spot(self, x: Tensor, uniform) -> Tensor:
        """A soft bright spot for each picture [N, 1, H, W], 0 to 1, somewhere in the middle two thirds."""
        height, width = x.shape[-2:]
        centre, radius = uniform(2) * 0.66, 0.15 + 0.1 * (uniform(1, 1) + 1)
        rows = torch.linspace(-1, 1, height, device=x.device)[None, :, None] - centre[:, :1, None]
        columns = torch.linspace(-1, 1, width, device=x.device)[None, None, :] - centre[:, 1:, None]
        strength = (uniform(1, 1) + 1) / 2
        return (strength / (1 + (rows**2 + columns**2) / radius**2) ** 2)[:, None]

    def _erase(self, x: Tensor, uniform, generator: torch.Generator) -> Tensor:
        """A rectangle of noise in some of the pictures, its sides in a ratio of 1:3 to 3:1."""
        area = (0.02 + 0.31 * (uniform(1) + 1) / 2) * x.shape[2] * x.shape[3]
        ratio = torch.exp(uniform(1) * 1.0986)
        chosen = (uniform(1) + 1) / 2 < self.erasing
        half = torch.where(chosen, (area * ratio).sqrt() / 2, -1.0)
        noise = torch.rand(x.shape, device=x.device, generator=generator)
        low, high = x.amin(), x.amax()
        return torch.where(_rectangle(x, uniform, half, area / (4 * half.abs())), low + noise * (high - low), x)


def _affine_grid(across: Sequence[Tensor], down: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Where each pixel of a picture is looked up: [N, H, W, 2], a x + b y + c along both axes.

    Args:
        across, down: a, b and c [N, 1] of either axis.
        size: height and width.

    As `F.affine_grid` without aligned corners, in a fifth of its time on the CPU: sums of a row and a column instead of
    a product of small matrices.
    """
    y, x = ((torch.arange(side, device=across[0].device) * 2 + 1) / side - 1 for side in size)
    grid = x.new_empty(2, len(across[0]), len(y), len(x))  # laid down one axis after the other: twice as fast
    for plane, (a, b, c) in zip(grid, (across, down), strict=True):
        torch.add((a * x)[:, None, :], (b * y + c)[:, :, None], out=plane)
    return grid.permute(1, 2, 3, 0)


def _mirrored(places: Tensor) -> Tensor:
    """Places [N, S] beyond the ends of 0 to S - 1, reflected back; the end itself is not repeated."""
    last = places.shape[1] - 1
    return last - (last - places.abs()).abs() if last else torch.zeros_like(places)


def _rectangle(x: Tensor, uniform, half_height: Tensor, half_width: Tensor) -> Tensor:
    """Where a rectangle of these half sides [N, 1], its centre anywhere, covers each picture: bool [N, 1, H, W]."""
    inside = []
    for side, half in zip(x.shape[2:], (half_height, half_width), strict=True):
        centre = (uniform(1) + 1) / 2 * side - 0.5
        inside.append((torch.arange(side, device=x.device) - centre).abs() <= half)
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _blur(x: Tensor, sigma_N1: Tensor, widest: float) -> Tensor:
    """Gaussian blur [N, C, H, W] with a standard deviation in pixels of its own, up to `widest`, a picture [N, 1]."""
    reach = max(1, int(2 * widest + 0.5))
    offset = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offset / sigma_N1.clamp_min(1e-3)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(x.shape[1], 0)[:, None]
    flat = F.pad(x, (reach, reach, reach, reach), mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernel[..., None], groups=flat.shape[1])
    flat = F.conv2d(flat, kernel[:, :, None], groups=flat.shape[1])
    return flat.view_as(x)
