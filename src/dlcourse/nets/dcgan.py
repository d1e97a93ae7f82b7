"""Convolutional nets between images and short vectors: encoder, decoder, both together, and a GAN's discriminator.

Each of `layers` steps halves the side and doubles the channels, or the reverse, as in the DCGAN of Radford et al.,
2015 (arXiv:1511.06434).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dlcourse.nets.layers import Residual, padding, picture_shape
from dlcourse.nets.palette import make_palette, maps_needed

SMALLEST = 2  # side of the smallest map, in pixels
NORMS = ("batch", "group", "none")


class Encoder(nn.Module):
    """Images [N, C, H, W] to vectors [N, outputs].

    Args:
        in_shape: channels, height and width; sides that cannot be halved so often are padded by repeating the edge.
        outputs: length of the vectors.
        width: channels after the first layer.
        layers: downsampling steps; fewer where an image has too few pixels for them.
        norm: `batch`, `group` (of 16 channels or fewer) or `none`; the first layer is not normalised.
        blocks: residual blocks after each step.
        deviation: adds a channel with the standard deviation within the batch before the last layer (Karras et al.,
            2017, arXiv:1710.10196), which shows a discriminator when all images are alike.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        outputs: int,
        width: int = 32,
        layers: int = 4,
        norm: str = "batch",
        blocks: int = 0,
        deviation: bool = False,
    ):
        super().__init__()
        layers = _check_options(in_shape, width, layers, norm)
        self.padding = padding(in_shape[1:], 2**layers)
        height, width_ = (-(-side // 2**layers) for side in in_shape[1:])  # of the smallest map
        channels = width * 2 ** (layers - 1)
        steps: list[nn.Module] = []
        before = in_shape[0]
        for i in range(layers):
            after = width * 2**i
            normed = _norm(norm, after) if i else []
            steps += [nn.Conv2d(before, after, 4, 2, 1, bias=not normed), *normed, nn.LeakyReLU(0.2)]
            steps += [_residual(after, norm) for _ in range(blocks)]
            before = after
        self.body, self.deviation = nn.Sequential(*steps), deviation
        self.head = nn.Linear((channels + deviation) * height * width_, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] to [N, outputs]."""
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] to what the last layer reads: [N, F]."""
        maps = self.body(F.pad(x, self.padding, mode="replicate") if any(self.padding) else x)
        if self.deviation:
            spread = maps.var(0, unbiased=False).add(1e-8).sqrt().mean()
            maps = torch.cat([maps, spread.expand(len(maps), 1, *maps.shape[2:]).to(maps.dtype)], 1)
        return maps.flatten(1)


class Decoder(nn.Module):
    """Vectors [N, latent] to images [N, C, H, W] within -1 and 1: the reverse of an encoder.

    Args:
        in_shape: channels, height and width of the images.
        latent: length of the vectors.
        width: channels before the last layer.
        layers: upsampling steps.
        norm: as in `Encoder`.
        blocks: residual blocks before each step.
        resize: upsample by nearest neighbours and a 3x3 convolution instead of a transposed 4x4 one, which can cause
            checkerboard artefacts (Odena et al., 2016, doi:10.23915/distill.00003).
        palette: number of colours that an image mixes, see `Palette`; 0: no limit.
        mixing: `softmax` or `sparsemax`, see `Palette`.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        latent: int,
        width: int = 32,
        layers: int = 4,
        norm: str = "batch",
        blocks: int = 0,
        resize: bool = False,
        palette: int = 0,
        mixing: str = "softmax",
    ):
        super().__init__()
        layers = _check_options(in_shape, width, layers, norm)
        self.padding = padding(in_shape[1:], 2**layers)
        height, width_ = (-(-side // 2**layers) for side in in_shape[1:])  # of the smallest map
        before = width * 2 ** (layers - 1)
        self.shape = (before, height, width_)
        self.stem = nn.Linear(latent, before * height * width_)
        steps: list[nn.Module] = [*_norm(norm, before), nn.ReLU()]
        for i in reversed(range(layers)):
            after = width * 2 ** (i - 1) if i else maps_needed(palette, in_shape[0])
            normed = _norm(norm, after) if i else []
            steps += [_residual(before, norm) for _ in range(blocks)]
            if resize:
                steps += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1, bias=not normed)]
            else:
                steps.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=not normed))
            if i:
                steps += [*normed, nn.ReLU()]
            before = after
        self.body = nn.Sequential(*steps)
        self.palette = make_palette(latent, palette, in_shape[0], mixing)

    def forward(self, z: Tensor) -> Tensor:
        """[N, latent] to images [N, C, H, W]."""
        maps = self.stem(z).unflatten(1, self.shape)
        x = self.body(maps.contiguous(memory_format=torch.channels_last))
        x = (x if self.palette is None else self.palette(x, z)).tanh()
        return F.pad(x, [-size for size in self.padding]) if any(self.padding) else x


class Autoencoder(nn.Module):
    """An encoder and a decoder of the same shape.

    Args:
        in_shape: channels, height and width of the images.
        outputs: lengths of the encoder's heads; the decoder's input has the length of the first.
        width, layers, norm, blocks, resize, palette, mixing: see `Encoder` and `Decoder`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        outputs: tuple[int, ...],
        width: int = 32,
        layers: int = 4,
        norm: str = "batch",
        blocks: int = 0,
        resize: bool = False,
        palette: int = 0,
        mixing: str = "softmax",
    ):
        super().__init__()
        self.encoder = Encoder(in_shape, sum(outputs), width, layers, norm, blocks)
        self.decoder = Decoder(in_shape, outputs[0], width, layers, norm, blocks, resize, palette, mixing)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] to the encoder's heads, side by side [N, sum of outputs]."""
        return self.encoder(x)


class Generator(Decoder):
    """A decoder of noise, with DCGAN's initial weights."""

    def __init__(self, in_shape: tuple[int, ...], outputs: tuple[int, ...], **options):
        super().__init__(in_shape, outputs[0], **options)
        self.apply(_dcgan_weights)


class Discriminator(Encoder):
    """An encoder with one output, with DCGAN's initial weights.

    Args:
        in_shape: shape of the images.
        spectral: divide each layer's weights by their largest singular value (Miyato et al., 2018, arXiv:1802.05957).
        conditions: length of the vectors that say what an image should show; 0 without them. They change the last
            layer's weights (projection; Miyato and Koyama, 2018, arXiv:1802.05637).
        options: see `Encoder`.
    """

    def __init__(self, in_shape: tuple[int, ...], spectral: bool = False, conditions: int = 0, **options):
        super().__init__(in_shape, 1, **options)
        self.apply(_dcgan_weights)
        self.projection = nn.Linear(conditions, self.head.in_features, bias=False) if conditions else None
        if self.projection is not None:
            nn.init.normal_(self.projection.weight, 0.0, 0.02)
        if spectral:
            for layer in self.modules():
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    spectral_norm(layer)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Images [N, C, H, W] and conditions [N, K] or None to logits [N]: large for real images that fit."""
        features = self.features(x)
        logits = self.head(features)[:, 0]
        if self.projection is not None and condition is not None:
            logits = logits + (self.projection(condition) * features).sum(1)
        return logits


def _check_options(in_shape: tuple[int, ...], width: int, layers: int, norm: str) -> int:
    """The number of steps: `layers`, or as many as leave the smallest map its pixels.

    Raises:
        ValueError: the options do not fit the images.
    """
    if norm not in NORMS:
        raise ValueError(f"norm={norm} is unknown: use one of {', '.join(NORMS)}")
    if layers < 1 or width < 1:
        raise ValueError(f"layers={layers} and width={width} must be 1 or more: use for example 4 and 32")
    most = max(1, math.ceil(math.log2(min(picture_shape(in_shape)[1:]) / SMALLEST)))
    return min(layers, most)


def _residual(channels: int, norm: str) -> Residual:
    """Two 3x3 convolutions of activations of the normalised map, added to the map [N, C, H, W]."""

    def part() -> list[nn.Module]:
        return [*_norm(norm, channels), nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, padding=1)]

    return Residual([*part(), *part()], nn.Identity())


def _norm(norm: str, channels: int) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    groups = max(1, channels // 16) if channels % 16 == 0 else 1
    return [nn.GroupNorm(groups, channels)] if norm == "group" else []


def _dcgan_weights(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
