"""Slide a face: the directions of a generative model's latent, and the steps between two faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dlcourse.analysis.latents import directions
from dlcourse.app.pictures import enlarged
from dlcourse.app.saved_runs import Loaded, SavedRuns
from dlcourse.data.batches import seeded
from dlcourse.data.given_images import stored_inputs
from dlcourse.errors import UserError

SLIDERS = 8
FACTORS = 48  # factors of a conditional model that the page has room for
DRAWN = 400  # samples that replace the images of a missing data set
STEPS = 9
SD = 3.0  # standard deviations that a slider goes either way


@dataclass(frozen=True)
class Space:
    """The directions of a latent: unit vectors [K, L], standard deviations along them [K], names."""

    ways: Tensor
    deviations: Tensor
    names: tuple[str, ...]


def space(runs: SavedRuns, loaded: Loaded) -> Space:
    """The directions of a run's latent, computed once; none for a flow: its latent has as many numbers as pixels."""
    if "space" not in loaded.notes:
        model = loaded.model
        if not model.has_directions:
            found = Space(torch.empty(0, model.latent), torch.empty(0), ())
        else:
            images = _images(runs, loaded) if hasattr(model.net, "encoder") else torch.empty(0)
            _, ways, spans, names = directions(model, images, SLIDERS)
            found = Space(ways, spans / 3, tuple(names))
        loaded.notes["space"] = found
    return loaded.notes["space"]


def _images(runs: SavedRuns, loaded: Loaded) -> Tensor:
    """Test images, or samples if the data set is not available."""
    try:
        return runs.images(loaded)
    except UserError:
        if not loaded.model.samples:
            raise
        return loaded.model.sampled(DRAWN, 0)


def new_face(runs: SavedRuns, loaded: Loaded, number: int) -> Tensor:
    """The latent [L] of a face: a sample, or the code of a test image where the model cannot sample.

    Args:
        runs: the runs, of which this is one.
        loaded: the run.
        number: which one.
    """
    model = loaded.model
    if model.samples:
        return model.sample_latents(1, seeded(model.seed, 6, number))[0].cpu()
    images = runs.images(loaded)
    return model.latents(images[[number % len(images)]])[0]


def code_of(loaded: Loaded, image: Image.Image) -> Tensor:
    """The latent [L] of a given image.

    Raises:
        UserError: the model does not have an encoder.
    """
    return loaded.model.latents(stored_inputs(image, loaded.model.task))[0]


def slid(start: Tensor, found: Space, values: Sequence[float]) -> Tensor:
    """A latent [L] moved along each direction by a number of standard deviations."""
    count = len(found.ways)
    return start + (torch.tensor(list(values)[:count]) * found.deviations) @ found.ways if count else start


@dataclass(frozen=True)
class Factor:
    """A conditional model's factors of an image: name, value, the largest value, and the step between two."""

    name: str
    value: float
    largest: float
    step: float


def factors(model: Any, z: Tensor) -> list[Factor]:
    """The factors of a latent [L]; none if the model is unconditional, or of an image that it has encoded."""
    rows = zip(model.factors_of(z).items(), model.task.categories, strict=False)
    return [Factor(name, round(value, 2), k - 1 if k else 1, 1 if k else 0.01) for (name, value), k in rows]


def set_factors(model: Any, z: Tensor, values: Sequence[float]) -> Tensor:
    """A latent [L] with the first of its `factors` replaced by `values`."""
    known = model.factors_of(z)
    return model.with_factors(z, known | dict(zip(known, values, strict=False))) if known else z


def draw_face(model: Any, z: Tensor, side: int = 384) -> np.ndarray:
    """The image of a latent [L], enlarged: uint8 [H, W] or [H, W, 3]."""
    return smooth(model.decode_images(z[None])[0].numpy(), side)


def smooth(image: np.ndarray, side: int) -> np.ndarray:
    """An image enlarged to `side` pixels, with soft edges."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def steps_between(model: Any, first: Tensor, last: Tensor) -> np.ndarray:
    """The images from one latent [L] to another in a row, along the sphere."""
    images = model.decode_images(model.between(first, last, steps=STEPS)).numpy()
    return np.concatenate([enlarged(image, 128) for image in images], 1)
