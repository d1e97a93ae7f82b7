"""Augmentation of a batch on its device, with independent random values for each sample."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcourse.errors import UserError

FLIPS = ("none", "random", "alternating")
OUTSIDE = ("mirror", "nearest", "darkest")
AXES = ("together", "apart")


class Augment:
    """Random changes of grey or colour images. Each option is the largest change; 0 disables it.

    Args:
        crop: largest shift in pixels of a crop of the image, which is padded by reflection.
        flip: left-right mirror: `random`, or `alternating`: half of the images in one epoch, the other half in the
            next, so that two epochs show each image both ways (Jordan, 2024, arXiv:2404.00498).
        vertical_flip: upside-down mirror of half of the images.
        rotation: degrees in both directions.
        zoom: lowest and highest enlargement.
        zoom_axes: `together` scales both axes by the same factor; `apart` draws a factor for each axis.
        shear: degrees in both directions.
        shift: fraction of the side, in both directions along both axes.
        outside: what fills the area beyond the border after rotation, zoom, shear and shift: the image's `mirror`
            image, the `nearest` border pixel, or the `darkest` level, which suits strokes on a black background.
        brightness: grey levels in both directions; for images of floats in their unit, also noise and reflection.
        noise: standard deviation in grey levels.
        blur: standard deviation in pixels of the widest Gaussian blur.
        reflection: grey levels that a soft bright spot adds at its centre.
        cutout: side in pixels of a square set to the batch's mean (DeVries and Taylor, 2017, arXiv:1708.04552).
        erasing: probability of a rectangle of noise, 2 to 33 % of the image (Zhong et al., 2017, arXiv:1708.04896).

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
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
                f"data.augment.zoom={list(zoom)} must be the lowest and the highest enlargement: for example [0.9,1.1]"
            )
        if flip not in FLIPS:
            raise ValueError(f"data.augment.flip={flip} is unknown: use {', '.join(FLIPS)}")
        if outside not in OUTSIDE:
            raise ValueError(f"data.augment.outside={outside} is unknown: use {', '.join(OUTSIDE)}")
        if zoom_axes not in AXES:
            raise ValueError(f"data.augment.zoom_axes={zoom_axes} is unknown: use {', '.join(AXES)}")
        if not 0 <= erasing <= 1:
            raise ValueError(f"data.augment.erasing={erasing} is not a probability: use 0 to 1")
        if min(crop, cutout) < 0:
            raise ValueError("data.augment.crop and data.augment.cutout are numbers of pixels: use 0 or more")
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
        self, images: Tensor, generator: torch.Generator, index: Tensor | None = None, epoch: int = 0
    ) -> Tensor:
        """Return changed images of the same shape and type.

        Args:
            images: [N, H, W] or [N, H, W, C] on any device; uint8, or floats in any units.
            generator: of all random values, on the same device.
            index: each image's index in its data set [N], for the alternating flip; by default its index in the batch.
            epoch: number of the epoch, also for the alternating flip.
        """
        if not self.changes:
            return images
        if images.ndim < 3:
            raise UserError("features cannot be augmented as images: use data/augment=none")
        side = min(images.shape[1:3])
        for name, value, most in (("crop", self.crop, side - 1), ("blur", self.blur, (side - 1.5) / 2)):
            if value > max(most, 0):
                raise UserError(f"data.augment.{name}={value} is too large for {side} pixels: use at most {most:.3g}")

        def uniform(*shape: int) -> Tensor:
            """Random values in [-1, 1]."""
            return torch.rand(len(images), *shape, device=images.device, generator=generator) * 2 - 1

        if self.moves:
            index = torch.arange(len(images)) if index is None else index
            images = self._move(images, uniform, index.to(images.device), epoch)
        if not (self.warps or self.recolours):
            return images
        grey = images.ndim == 3
        x = (images[:, None] if grey else images.permute(0, 3, 1, 2)).to(torch.float32, copy=True)  # changed in place
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
        if images.dtype == torch.uint8:
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
            # which half comes first is a hash of the image's number (Knuth's multiplier), not its parity:
            # neighbours in a sorted set are then not flipped in turn
            first = (index * 2654435761 >> 16) & 1
            columns = torch.where(((first + epoch) % 2 == 1)[:, None], columns.flip(1), columns)
        count, height, width = x.shape[:3]
        first = torch.arange(count, device=x.device)[:, None] * height
        place = ((first + rows) * width)[:, :, None] + columns[:, None, :]
        # Pixels as rows of a table: on the CPU 3 times as fast as indexing by image, row and column.
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
        # The unit of the grid is half a side: without this ratio, images that are not square would be skewed.
        ratio = x.shape[2] / x.shape[3]
        a, b, d, e = (factor[:, None] for factor in (a, (shear * cos - sin) * ratio, d / ratio, shear * sin + cos))
        grid = _affine_grid((a, b, shift[:, :1]), (d, e, shift[:, 1:]), x.shape[2:])
        if self.outside != "darkest":
            beyond = "reflection" if self.outside == "mirror" else "border"
            return F.grid_sample(x, grid, padding_mode=beyond, align_corners=False)
        darkest = x.amin((1, 2, 3), keepdim=True)
        return F.grid_sample(x - darkest, grid, padding_mode="zeros", align_corners=False) + darkest

    def _spot(self, x: Tensor, uniform) -> Tensor:
        """A soft bright spot for each image [N, 1, H, W], 0 to 1, with its centre in the middle two thirds."""
        height, width = x.shape[-2:]
        centre, radius = uniform(2) * 0.66, 0.15 + 0.1 * (uniform(1, 1) + 1)
        rows = torch.linspace(-1, 1, height, device=x.device)[None, :, None] - centre[:, :1, None]
        columns = torch.linspace(-1, 1, width, device=x.device)[None, None, :] - centre[:, 1:, None]
        strength = (uniform(1, 1) + 1) / 2
        return (strength / (1 + (rows**2 + columns**2) / radius**2) ** 2)[:, None]

    def _erase(self, x: Tensor, uniform, generator: torch.Generator) -> Tensor:
        """Put a rectangle of noise, with an aspect ratio of 1:3 to 3:1, into some of the images."""
        area = (0.02 + 0.31 * (uniform(1) + 1) / 2) * x.shape[2] * x.shape[3]
        ratio = torch.exp(uniform(1) * 1.0986)
        chosen = (uniform(1) + 1) / 2 < self.erasing
        half = torch.where(chosen, (area * ratio).sqrt() / 2, -1.0)
        noise = torch.rand(x.shape, device=x.device, generator=generator)
        low, high = x.amin(), x.amax()
        return torch.where(_rectangle(x, uniform, half, area / (4 * half.abs())), low + noise * (high - low), x)


def _affine_grid(across: Sequence[Tensor], down: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Sampling position of each pixel: [N, H, W, 2], a x + b y + c along both axes.

    Args:
        across, down: a, b and c [N, 1] of each axis.
        size: height and width.

    Equal to `F.affine_grid` without aligned corners, and five times as fast on the CPU: it adds a row and a column
    instead of multiplying small matrices.
    """
    y, x = ((torch.arange(side, device=across[0].device) * 2 + 1) / side - 1 for side in size)
    grid = x.new_empty(2, len(across[0]), len(y), len(x))  # one axis after the other in memory: twice as fast
    for plane, (a, b, c) in zip(grid, (across, down), strict=True):
        torch.add((a * x)[:, None, :], (b * y + c)[:, :, None], out=plane)
    return grid.permute(1, 2, 3, 0)


def _mirrored(places: Tensor) -> Tensor:
    """Reflect indices [N, S] beyond 0 to S - 1 back into the range; the end itself is not repeated."""
    last = places.shape[1] - 1
    return last - (last - places.abs()).abs()


def _rectangle(x: Tensor, uniform, half_height: Tensor, half_width: Tensor) -> Tensor:
    """Mask of a rectangle with these half sides [N, 1] and a random centre in each image: bool [N, 1, H, W]."""
    inside = []
    for side, half in zip(x.shape[2:], (half_height, half_width), strict=True):
        centre = (uniform(1) + 1) / 2 * side - 0.5
        inside.append((torch.arange(side, device=x.device) - centre).abs() <= half)
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _blur(x: Tensor, sigma_N1: Tensor, widest: float) -> Tensor:
    """Gaussian blur [N, C, H, W] with a standard deviation in pixels for each image [N, 1], up to `widest`."""
    reach = max(1, int(2 * widest + 0.5))
    offset = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offset / sigma_N1.clamp_min(1e-3)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(x.shape[1], 0)[:, None]
    flat = F.pad(x, (reach, reach, reach, reach), mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernel[..., None], groups=flat.shape[1])
    flat = F.conv2d(flat, kernel[:, :, None], groups=flat.shape[1])
    return flat.view_as(x)
