"""A small convolutional net for fast training (after airbench, Jordan, 2024, arXiv:2404.00498)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.nets.layers import Head, Residual, check_widths, picture_shape


class FastCNN(nn.Module):
    """Frozen patch-whitening convolution, then stages of two 3x3 convolutions with max-pooling.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads; the net has their sum as outputs.
        widths: channels of each stage.
        scale: factor of the outputs: small initial outputs allow large first steps.
        whitening: side of the patches that the first layer whitens, so that all its channels have the same variance.
        residual: adds a third convolution to each stage, with a shortcut around it.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        widths: Sequence[int] = (32, 128, 128),
        scale: float = 1 / 9,
        whitening: int = 2,
        residual: bool = False,
    ):
        super().__init__()
        check_widths("widths or whitening", (*widths, whitening))
        channels, height, width = picture_shape(in_shape)
        if (min(height, width) - whitening + 1) // 2 ** len(widths) < 1:
            raise ValueError(f"images of {height}x{width} are too small for {len(widths)} stages: use fewer widths")
        patch = channels * whitening**2
        self.whiten = nn.Conv2d(channels, 2 * patch, whitening, bias=False).requires_grad_(False)
        inner = 2 * patch
        self.stages = nn.Sequential()
        for outer in widths:
            self.stages.append(_stage(inner, outer, residual))
            inner = outer
        self.head = Head(inner, sum(outputs), bias=False)
        self.scale = scale

    @torch.no_grad()
    def adapt(self, x: Tensor) -> None:
        """Set the first layer's filters from scaled training images: eigenvectors of patches, and their negatives."""
        side, count = self.whiten.kernel_size[0], 0
        size = self.whiten.weight[0].numel()
        total, products = (torch.zeros(shape, dtype=torch.float64, device=x.device) for shape in (size, (size, size)))
        for part in x.split(256):  # all patches at once would need many times the memory of the images
            patches = F.unfold(part.double(), side).transpose(1, 2).flatten(0, 1)
            total += patches.sum(0)
            products += patches.T @ patches
            count += len(patches)
        values, vectors = torch.linalg.eigh((products - torch.outer(total, total) / count) / (count - 1))
        filters = (vectors.T / (values[:, None] + 5e-4).sqrt()).flip(0)
        filters = filters.reshape(-1, *self.whiten.weight.shape[1:]).to(self.whiten.weight)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        x = self.stages(F.gelu(self.whiten(x)))
        return self.head(x.amax((2, 3))) * self.scale


def _stage(inner: int, outer: int, residual: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(2):
        convolution = nn.Conv2d(inner, outer, 3, padding=1, bias=False)
        # The first channels start as the identity (dirac), the others are random.
        nn.init.dirac_(convolution.weight[: min(inner, outer)])
        layers.append(convolution)
        if not i:
            layers.append(nn.MaxPool2d(2))
        layers += [_norm(outer), nn.GELU()]
        inner = outer
    if residual:
        third = [nn.Conv2d(outer, outer, 3, padding=1, bias=False), _norm(outer)]
        layers += [Residual(third, nn.Identity()), nn.GELU()]
    return nn.Sequential(*layers)


def _norm(width: int) -> nn.Module:
    return nn.BatchNorm2d(width, momentum=0.4)
