"""Colour images of any clock anywhere: plain torch, in small chunks, any device, any size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.camera import NOISE_ROOM, blur, compress, light
from dlcourse.clocks.varied.draw import draw
from dlcourse.numba_cache import import_compiled

# Increase it whenever the same seed gives different images: it is part of the names of cached files.
VERSION = 2
_CPU_CHUNK_PIXELS = 130_000  # 8 images of 128 pixels a side
_ACCELERATOR_CHUNK = 128
GREY = (0.299, 0.587, 0.114)


def render_varied(
    scene: Scene,
    size: int = 150,
    device: torch.device | str | None = None,
    colour: bool = True,
    chunk: int | None = None,
    compiled: bool = False,
) -> Tensor:
    """The images of a scene of `VariedRanges`.

    Args:
        scene: from `draw_scenes(minutes, seed, VariedRanges())`.
        size: side in pixels.
        device: where to draw; default: the scene's device.
        colour: false: grey images.
        chunk: images drawn at once; default: depends on the device.
        compiled: on the CPU, draw with `varied.compiled`, several times as fast, but the first call in a new
            installation takes half a minute more. Few pixels differ by more than one grey level.

    Returns:
        uint8 [N, size, size, 3], or [N, size, size] without colour, on `device`; 0 is black.

    Raises:
        ValueError: size below 16 or chunk below 1.
    """
    if size < 16:
        raise ValueError(f"size={size} is too small: use 16 pixels or more")
    device = torch.device(device) if device is not None else scene.minutes.device
    if chunk is None:
        chunk = max(_CPU_CHUNK_PIXELS // size**2, 1) if device.type == "cpu" else _ACCELERATOR_CHUNK
    if chunk < 1:
        raise ValueError(f"chunk={chunk} is below 1: use 1 or more")
    found = torch.empty(len(scene), size, size, 3, dtype=torch.uint8, device=device)
    grains = _grain(size, device)
    if compiled and device.type == "cpu":
        _compiled(scene.to("cpu"), grains, found)
        return found if colour else _grey(found)
    with torch.no_grad():
        for start in range(0, len(scene), chunk):
            part = scene[start : start + chunk].to(device)
            picture = compress(blur(light(draw(part, size), part), part), part)
            for index, (strength, dark, place) in enumerate(
                zip(part.noise.tolist(), part.dark.tolist(), part.luck[:, 3:5].tolist(), strict=True)
            ):
                top, left = (int(share * NOISE_ROOM) for share in place)
                grain = grains[:, top : top + size, left : left + size]
                picture[index].add_(grain, alpha=strength * (1 + 3 * (dark > 0)) / 3)
            picture = picture.mul_(255).add_(0.5).clamp_(0, 255)
            found[start : start + chunk] = picture.permute(0, 2, 3, 1)
    return found if colour else _grey(found)


def _compiled(scene: Scene, grains: Tensor, images: Tensor) -> None:
    """Draw with compiled code, in torch.get_num_threads() threads."""
    draw_part = import_compiled("dlcourse.clocks.varied.compiled").render_compiled
    threads = torch.get_num_threads()
    if threads == 1:
        draw_part(scene, grains, images)
        return
    block = max(1, len(scene) // (4 * threads))
    parts = [slice(start, start + block) for start in range(0, len(scene), block)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: draw_part(scene[part], grains, images[part]), parts))


def _grey(images: Tensor) -> Tensor:
    return (images.float() @ torch.tensor(GREY, device=images.device)).round().byte()


def _grain(size: int, device: torch.device) -> Tensor:
    """Noise [3, size + room, size + room] of deviation 1, of which a half is the same in all colours."""
    generator = torch.Generator().manual_seed(23)
    side = size + NOISE_ROOM
    own, shared = torch.randn(3, side, side, generator=generator), torch.randn(side, side, generator=generator)
    return ((own + shared) * 0.7071).to(device)
