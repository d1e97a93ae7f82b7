"""Augmentation of a batch on its device, each sample with its own draw."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class Augment:
    """Random changes of grey or colour pictures that keep what a clock shows: it never mirrors.

    Every option is the largest change; 0 switches it off.

    Args:
        rotation: degrees either way.
        zoom: lowest and highest enlargement.
        shear: degrees either way.
        shift: part of the side, either way and along both axes.
        brightness: grey levels either way.
        noise: standard deviation in grey levels.
        blur: standard deviation in pixels of the widest Gaussian blur.
        reflection: grey levels that a soft bright spot adds at its middle.
    """

    def __init__(
        self,
        rotation: float = 0,
        zoom: Sequence[float] = (1, 1),
        shear: float = 0,
        shift: float = 0,
        brightness: float = 0,
        noise: float = 0,
        blur: float = 0,
        reflection: float = 0,
    ):
        if len(zoom) != 2 or not 0 < zoom[0] <= zoom[1]:
            raise ValueError(
                f"data.augment.zoom={list(zoom)} must be a lowest and a highest enlargement: [0.9,1.1], say"
            )
        self.rotation, self.zoom, self.shear, self.shift = rotation, tuple(zoom), shear, shift
        self.brightness, self.noise, self.blur, self.reflection = brightness, noise, blur, reflection
        self.warps = bool(rotation or shear or shift or self.zoom != (1, 1))
        self.changes = self.warps or bool(brightness or noise or blur or reflection)

    def __call__(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Changed pictures of the same shape: uint8 [N, H, W] or [N, H, W, C], on any device."""
        if not self.changes:
            return pictures
        grey = pictures.ndim == 3
        x = (pictures[:, None] if grey else pictures.permute(0, 3, 1, 2)).float()

        def uniform(*shape: int) -> Tensor:
            """Draws in [-1, 1]."""
            return torch.rand(len(x), *shape, device=x.device, generator=generator) * 2 - 1

        if self.warps:
            x = self._warp(x, uniform)
        if self.reflection:
            x += self.reflection * self._spot(x, uniform)
        if self.blur:
            x = _blur(x, self.blur * uniform(1).abs())
        if self.brightness:
            x += self.brightness * uniform(1, 1, 1)
        if self.noise:
            x += self.noise * torch.randn(x.shape, device=x.device, generator=generator)
        x = x.round_().clamp_(0, 255).to(torch.uint8)
        return x[:, 0] if grey else x.permute(0, 2, 3, 1)

    def _warp(self, x: Tensor, uniform) -> Tensor:
        """Rotation, shear, zoom and shift in one resampling; what comes into view is the mirrored border."""
        angle = torch.deg2rad(self.rotation * uniform())
        shear = torch.tan(torch.deg2rad(self.shear * uniform()))
        low, high = self.zoom
        scale = low + (high - low) * (uniform() + 1) / 2
        shift = 2 * self.shift * uniform(2)
        cos, sin = angle.cos() / scale, angle.sin() / scale
        matrix = torch.stack([cos, shear * cos - sin, shift[:, 0], sin, shear * sin + cos, shift[:, 1]], 1).view(
            -1, 2, 3
        )
        grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)

    def _spot(self, x: Tensor, uniform) -> Tensor:
        """A soft bright spot for each picture [N, 1, H, W], 0 to 1, somewhere in the middle two thirds."""
        height, width = x.shape[-2:]
        centre, radius = uniform(2) * 0.66, 0.15 + 0.1 * (uniform(1, 1) + 1)
        rows = torch.linspace(-1, 1, height, device=x.device)[None, :, None] - centre[:, :1, None]
        columns = torch.linspace(-1, 1, width, device=x.device)[None, None, :] - centre[:, 1:, None]
        strength = (uniform(1, 1) + 1) / 2
        return (strength / (1 + (rows**2 + columns**2) / radius**2) ** 2)[:, None]


def _blur(x: Tensor, sigma_N1: Tensor) -> Tensor:
    """Gaussian blur [N, C, H, W] with a standard deviation in pixels of its own for each picture [N, 1]."""
    reach = max(1, int(2 * sigma_N1.max().item() + 0.5))
    offset = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offset / sigma_N1.clamp_min(1e-3)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(x.shape[1], 0)[:, None]
    flat = F.pad(x, (reach, reach, reach, reach), mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernel[..., None], groups=flat.shape[1])
    flat = F.conv2d(flat, kernel[:, :, None], groups=flat.shape[1])
    return flat.view_as(x)
