"""What the net looks at: Grad-CAM and occlusion, computed by captum."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.app.pictures import frame, headline, rendered
from dlcourse.errors import UserError
from dlcourse.models.answers import predict_batches
from dlcourse.models.any_clock import AnyClockReader
from dlcourse.models.classifier import Classifier
from dlcourse.models.clock import ClockReader
from dlcourse.nets.polar import PolarNet
from dlcourse.plots.sheet import displayable
from dlcourse.reporting.collect import Run

METHODS = ("Grad-CAM", "occlusion")
PATCHES = 7  # patches along a side that are covered one after the other


def fits(kind: type, run: Run) -> bool:
    """Whether a run predicts from images with a single net, unlike the reader of any clock."""
    return issubclass(kind, (Classifier, ClockReader)) and not issubclass(kind, AnyClockReader)


def look(model: Any, stored: Tensor, method: str) -> tuple[np.ndarray, np.ndarray, str]:
    """The image, the image under its heat map, both uint8 [S, S, 3], and the answer as HTML.

    Args:
        model: a classifier or a clock reader.
        stored: one image [1, ...] as the model's task stores it.
        method: of `METHODS`.

    Raises:
        UserError: the input is not an image, or the model lacks probabilities, or a convolution for Grad-CAM.
    """
    images = displayable(stored) if model.task.picture_shape() else None
    if images is None:
        raise UserError(f"the run was trained on {model.task.shape_text()}, not on images: choose another run")
    found: Any = predict_batches(model, [stored])[1]
    if found.probabilities is None:
        raise UserError("this model does not compute probabilities, which the heat map explains: choose another run")
    best = int(found.probabilities[0].argmax())
    heat = grad_cam(model, stored, best) if method == METHODS[0] else occlusion(model, stored, best)
    text = headline(found.names[0], f"confidence {found.confidence[0]:.1%}; {_meaning(method)}")
    return shown(images[0].numpy()), shown(images[0].numpy(), heat), text


def grad_cam(model: Any, stored: Tensor, best: int) -> np.ndarray:
    """How much each position of the last convolution supports a prediction [H, W] (Selvaraju et al., 2017).

    Args:
        model: see `look`.
        stored: one image [1, ...].
        best: index of the prediction among the probabilities.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    layer = last_convolution(model, stored)
    x = model.normalize(stored).detach().requires_grad_()
    found = LayerGradCam(lambda z: _log_share(model, z, best), layer).attribute(x, relu_attributions=True)
    _, high, wide = model.task.picture_shape()
    return LayerAttribution.interpolate(found, (high, wide), "bilinear")[0, 0].detach().numpy()


def occlusion(model: Any, stored: Tensor, best: int) -> np.ndarray:
    """How much the answer's probability falls when a patch turns grey [H, W] (Zeiler and Fergus, 2014)."""
    from captum.attr import Occlusion

    channels, high, wide = model.task.picture_shape()
    x = model.normalize(stored).reshape(1, channels, high, wide)
    patch = (max(1, high // PATCHES), max(1, wide // PATCHES))
    stride = (max(1, patch[0] // 2), max(1, patch[1] // 2))
    flat = model.task.in_shape

    def share(z: Tensor) -> Tensor:
        return model.predictions(model.net(z.reshape(-1, *flat)))["probabilities"][:, best]

    with torch.no_grad():
        found = Occlusion(share).attribute(
            x, (channels, *patch), strides=(channels, *stride), baselines=_paper(x), perturbations_per_eval=32
        )
    return found[0].mean(0).clamp_min(0).numpy()


def _paper(x: Tensor) -> Tensor:
    """What covers a patch: the median of the image's border in each channel [1, C, H, W]."""
    border = torch.cat([x[:, :, 0], x[:, :, -1], x[:, :, :, 0], x[:, :, :, -1]], 2)
    return border.median(2).values[:, :, None, None].expand_as(x)


def last_convolution(model: Any, stored: Tensor) -> nn.Module:
    """The last convolution of a net with an output of more than one position.

    Raises:
        UserError: the net does not have such a convolution, or its positions are not those of the image.
    """
    if isinstance(model.net, PolarNet):
        raise UserError("Grad-CAM cannot show where this net looks, as it unrolls the image first: use occlusion")
    used: list[nn.Module] = []

    def note(layer: nn.Module, _: Any, output: Tensor) -> None:
        if min(output.shape[2:]) > 1:
            used.append(layer)

    hooks = [m.register_forward_hook(note) for m in model.net.modules() if isinstance(m, nn.Conv2d)]
    try:
        with torch.no_grad():
            model(stored)
    finally:
        for hook in hooks:
            hook.remove()
    if not used:
        raise UserError("Grad-CAM needs a convolution, which the net of this run does not have: use occlusion")
    return used[-1]


def _log_share(model: Any, x: Tensor, best: int) -> Tensor:
    """Log probability of a prediction [N]: unlike the probability, its gradient does not vanish if the net is sure."""
    return model.predictions(model.net(x))["probabilities"][:, best].clamp_min(1e-12).log()


def shown(image: np.ndarray, heat: np.ndarray | None = None, side: int = 400) -> np.ndarray:
    """An image [H, W] or [H, W, 3] enlarged, below a heat map [H, W]: uint8 [S, S, 3]."""
    figure, axes = frame(side)
    bounds = (0, image.shape[1], image.shape[0], 0)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=bounds)
    if heat is not None:
        strength = heat / max(float(heat.max()), 1e-12)
        axes.imshow(
            strength, cmap="inferno", alpha=0.25 + 0.55 * strength, extent=bounds, interpolation="bilinear"
        )  # fmt: skip
    return rendered(figure)


def _meaning(method: str) -> str:
    if method == METHODS[0]:
        return "bright: places of the last convolution that speak for the answer"
    return "bright: covering this place lowers the probability"
