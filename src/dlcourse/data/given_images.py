"""Images that a caller passes in Python, in the form in which a task stores its inputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dlcourse.data.image_files import UNREADABLE, fit_picture, picture_files, printable, read_picture, why_unreadable
from dlcourse.data.task import Task, as_stored
from dlcourse.errors import UserError

COLOURS = (3, 4)  # channels of a colour image: RGB, RGBA

Images = str | Path | Image.Image | np.ndarray | torch.Tensor | Sequence[Any]


def stored_inputs(images: Images, task: Task) -> torch.Tensor:
    """Images in any usual form as a task's stored inputs.

    Args:
        images: one image, or several as a list or as one array. An image is a path, a PIL image, an array or a tensor
            uint8 [H, W], [H, W, 3] or [H, W, 4]; tensors may have the channels first. A folder stands for all its
            images. Size and colour may differ from the task's: images are cropped to the centre, resized and converted.
            For a task on floats, or with another number of channels, arrays must have the stored shape and unit.
        task: that the model was trained on.

    Returns:
        [N, ...] as `task` stores them, such as uint8 [N, H, W].

    Raises:
        UserError: there is no image, one cannot be decoded, or an array has the wrong type or shape.
    """
    if isinstance(images, (list, tuple)):
        if not images:
            raise UserError("there are no images: pass at least one")
        return torch.cat([_inputs(image, task, one=True) for image in images])
    return _inputs(images, task, one=False)


def _inputs(image: Any, task: Task, *, one: bool) -> torch.Tensor:
    if isinstance(image, (str, Path)):
        return _pictures(picture_files(Path(image)), task)
    if isinstance(image, Image.Image):
        return _pictures([image], task)
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu()
        stored = not one and tuple(image.shape[1:]) == task.stored_shape()  # three grey images are not one in colour
        image = (image if stored else _channels_last(image)).numpy()
    if not isinstance(image, np.ndarray):
        raise UserError(
            f"{type(image).__name__} is not an image: pass paths, PIL images, or arrays or tensors of type uint8"
        )
    return _array(image, task, one)


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    first = images.ndim >= 3 and images.shape[-3] in (1, *COLOURS) and images.shape[-1] not in (1, *COLOURS)
    return images.movedim(-3, -1) if first else images


def _array(array: np.ndarray, task: Task, one: bool) -> torch.Tensor:
    shape = task.stored_shape()
    array = array[..., 0] if array.ndim > 2 and array.shape[-1] == 1 else array
    flat = len(shape) == 1 and array.shape[-1:] == shape  # features, which are not an image
    if array.dtype == np.uint8 and task.picture_shape() is not None and array.ndim > 1 and not flat:
        single = array.ndim == 2 or (array.ndim == 3 and (one or array.shape[-1] in COLOURS))
        batch = array[None] if single else array
        if batch.ndim in (3, 4) and (batch.ndim == 3 or batch.shape[-1] in COLOURS):
            if batch.shape[1:] == shape:
                return as_stored(torch.from_numpy(batch.copy()), task)
            return _pictures([Image.fromarray(image) for image in batch], task)
    elif array.dtype.kind == "f" if task.levels != (0, 255) or len(shape) == 1 else array.dtype == np.uint8:
        batch = array[None] if array.ndim == len(shape) else array
        if batch.shape[1:] == shape:
            return torch.from_numpy(batch.astype(np.float32 if array.dtype.kind == "f" else np.uint8))
    kind = "float" if task.picture_shape() is None and array.dtype == np.uint8 else "uint8"
    raise UserError(
        f"the images are {array.dtype} {list(array.shape)}, but the model was trained on {task.shape_text()}: pass "
        f"{kind} {['N', *shape]}".replace("'", "")
    )


def _pictures(images: Sequence[Path | Image.Image], task: Task) -> torch.Tensor:
    shape = task.picture_shape()
    if shape is None:
        raise UserError(f"the model was trained on {task.shape_text()}, not on images: pass an array [N, ...]")
    found = []
    for image in images:
        try:
            found.append(
                fit_picture(image, shape, task.pad)
                if isinstance(image, Image.Image)
                else read_picture(image, shape, task.pad)
            )
        except UNREADABLE as error:
            name = printable(image) if isinstance(image, Path) else "the image"
            raise UserError(f"{name}: {why_unreadable(error)}; give a PNG, JPEG or similar file") from error
    return as_stored(torch.from_numpy(np.stack(found)), task)
