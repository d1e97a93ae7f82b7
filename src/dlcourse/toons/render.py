"""Colour images of cartoon faces, drawn in batches from a scene: plain torch, any device, any size.

Each layer is a few signed distances over the image, painted with a line of ink around it, back to front. Images
are drawn in small chunks so that the temporaries stay in the cache; a layer is drawn only on the faces that have it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from dlcourse.toons import body, features, hair, head, wear
from dlcourse.toons.canvas import Canvas
from dlcourse.toons.face import face_of
from dlcourse.toons.scene import Scene

# Increase it whenever the same seed gives different images: it is part of the names of cached files.
RENDERER_VERSION = 1
SMALLEST, LARGEST = 16, 1024  # pixels a side
_CPU_CHUNK_PIXELS = 200_000  # 48 images of 64 pixels a side
_ACCELERATOR_CHUNK = 256


def render(scene: Scene, size: int = 64, device: torch.device | str | None = None, chunk: int | None = None) -> Tensor:
    """The scene's images: uint8 [N, size, size, 3] on `device`, the CPU unless given.

    `chunk` images are drawn at once (default: depends on the device); the result does not depend on it. On the CPU,
    torch.get_num_threads() threads draw.

    Raises:
        ValueError: a size out of range or a chunk below 1.
    """
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size={size} is out of range: use {SMALLEST} to {LARGEST} pixels")
    target = torch.device(device if device is not None else "cpu")
    on_cpu = target.type == "cpu"
    if chunk is None:
        chunk = max(_CPU_CHUNK_PIXELS // size**2, 1) if on_cpu else _ACCELERATOR_CHUNK
    if chunk < 1:
        raise ValueError(f"chunk={chunk} is below 1: use 1 or more")
    images = torch.empty(len(scene), size, size, 3, dtype=torch.uint8, device=target)
    # Faces with the same hair together: a chunk is drawn with as many cones as its richest style has.
    parts = torch.argsort(scene.hair, stable=True).split(chunk)

    def draw(index: Tensor) -> None:
        canvas = Canvas.blank(face_of(scene[index]).to(target), size)
        _paint(canvas)
        # Half a level turns the conversion's truncation into rounding.
        drawn = canvas.image.add_(0.5).clamp_(0, 255).byte()
        images.index_copy_(0, index.to(target), drawn.permute(0, 2, 3, 1).contiguous())

    threads = torch.get_num_threads() if on_cpu else 1
    if threads == 1:
        for part in parts:
            draw(part)
        return images
    # Threads that draw whole chunks wait for each other once, torch's own threads after each small operation.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(draw, parts))
    torch.set_num_threads(threads)  # the workers' setting is per thread for OpenMP, but per process for MKL
    return images


def _paint(canvas: Canvas) -> None:
    """Every layer, back to front, each on the rows that it can reach in any face."""
    body.background(canvas)
    hair.hair_behind(canvas)
    body.body(canvas.rows(60, 100))
    head.head(canvas.rows(12, 98))
    head.ears(canvas.rows(32, 90))
    head.cheeks(canvas.rows(42, 90))
    head.beard(canvas.rows(35, 100))
    features.mouth(canvas.rows(46, 97))
    hair.hair_in_front(canvas.rows(0, 92))
    features.eyes(canvas.rows(28, 80))
    wear.glasses(canvas.rows(28, 82))
    features.nose(canvas.rows(40, 85))
    head.moustache(canvas.rows(40, 97))
    features.brows(canvas.rows(16, 72))
    wear.hat(canvas.rows(0, 65))
