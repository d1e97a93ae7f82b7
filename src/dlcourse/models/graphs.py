"""A model's computations as plain modules with one input tensor and named output tensors, for torch.export and ONNX."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from dlcourse.data.batches import seeded
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.conditional import Conditional
from dlcourse.models.distance import DistanceClassifier
from dlcourse.models.generative import Generative


@dataclass(frozen=True)
class Graph:
    """One computation of a model.

    Attributes:
        name: `model`, `encoder`, `decoder` or `generator`.
        module: maps the input [N, ...] to the outputs, as a tuple.
        input: name of the input.
        outputs: names of the outputs.
        unit: what the input is, for people.
        draw: makes an input of N samples at random.
    """

    name: str
    module: nn.Module
    input: str
    outputs: tuple[str, ...]
    unit: str
    draw: Callable[[int], Tensor]


def graphs(model: BaseModule) -> list[Graph]:
    """The computations of a model that can be exported: predictions, or encoder and decoder of a generative model.

    Raises:
        UserError: the model computes outside of torch.
    """
    if isinstance(model, DistanceClassifier) and model.reduce != "none":
        raise UserError(
            f"model.reduce={model.reduce} is computed outside of torch and cannot be exported: "
            "export a run with model.reduce=none"
        )
    draw, unit = _stored(model)
    if not isinstance(model, Generative):
        with torch.no_grad():
            outputs = tuple(model.predictions(model(draw(2))))
        return [Graph("model", _Module(model, _answers), "images", outputs, unit, draw)]
    latent = f"float32 [N, {model.latent}]"
    noise = "standard normal noise" if model.samples else "outputs of the encoder"
    if isinstance(model, Conditional) and model.conditional:
        noise = (
            f"{model.noise_length} of standard normal noise, then the condition (1 and the factors; zeros: any image)"
        )
    encodes = type(model).encode is not Generative.encode
    decoder = Graph(
        "decoder" if encodes else "generator",
        _Module(model, _decoded),
        "latents",
        ("images",),
        f"{latent}, {noise}",
        lambda count: torch.randn(count, model.latent, generator=seeded(0)),
    )
    encoder = Graph("encoder", _Module(model, _encoded), "images", ("latents",), unit, draw)
    return [encoder, decoder] if encodes else [decoder]


class _Module(nn.Module):
    def __init__(self, model: BaseModule, compute: Callable[[Any, Tensor], tuple[Tensor, ...]]):
        super().__init__()
        self.model, self.compute = model.eval().requires_grad_(False), compute

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.compute(self.model, x)


def _answers(model: BaseModule, x: Tensor) -> tuple[Tensor, ...]:
    return tuple(model.predictions(model(x)).values())


def _encoded(model: Generative, x: Tensor) -> tuple[Tensor, ...]:
    return (model.encode(x).float(),)


def _decoded(model: Generative, x: Tensor) -> tuple[Tensor, ...]:
    """Images [N, H, W] or [N, H, W, C], 0 black to 1 white."""
    images = (model.decode(x).float() / 2 + 0.5).clamp(0, 1)
    return (images[:, 0] if images.shape[1] == 1 else images.permute(0, 2, 3, 1),)


def _stored(model: BaseModule) -> tuple[Callable[[int], Tensor], str]:
    """Draws stored inputs of a model, and says what they are."""
    task, (black, white) = model.photo_task, model.task.levels
    shape = task.stored_shape()
    sides = ", ".join(map(str, shape))
    if len(shape) > 1 and (black, white) == (0, 255):
        pixels = lambda count: torch.randint(0, 256, (count, *shape), generator=seeded(0)).byte()  # noqa: E731
        return pixels, f"uint8 [N, {sides}], 0 black to 255 white"
    unit = f"{black:g} black to {white:g} white" if task.picture_shape() is not None else "as in the training data"
    return (
        lambda count: black + (white - black) * torch.rand(count, *shape, generator=seeded(0)),
        f"float32 [N, {sides}], {unit}",
    )


def metadata(cfg: DictConfig, model: BaseModule, graph: Graph) -> dict[str, str]:
    """What a user of the file needs to know, as text; lists are JSON.

    Args:
        cfg: config of the run.
        model: of the run.
        graph: the computation that the file holds.
    """
    task = model.photo_task
    found: dict[str, Any] = {
        "model": cfg.model.name,
        "data": task.data,
        "kind": task.kind,
        "input": f"{graph.input}: {graph.unit}",
        "outputs": list(graph.outputs),
    }
    if len(task.in_shape) == 3:
        found |= {"channels": task.in_shape[0], "height": task.in_shape[1], "width": task.in_shape[2]}
    if task.kind == "classes":
        found |= {"class_names": list(task.classes)}
    if task.kind == "time":
        found |= {
            "encoding": type(getattr(model, "encoding", None)).__name__,
            "time": "minutes after 12:00, 0 to 720; probabilities of the 720 minutes from 12:00 on",
        }
    if graph.input == "latents":
        found["latent"] = getattr(model, "latent", None)
        vae: Any = model
        prior = getattr(model, "prior", "normal")  # noise of this distribution draws images
        if prior == "fitted":
            found |= {name: getattr(vae, name).tolist() for name in ("latent_mean", "latent_covariance")}
        if prior == "mixture":
            found |= {f"mixture_{name}": values.tolist() for name, values in vae.mixture.named_buffers()}
    found["dlcourse"] = version("dlcourse")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
