"""Grey images of an analog clock on planks, drawn in batches from a scene: plain torch, any device, any size.

Every image is one projective view of a few horizontal planes. All quantities that are linear on a plane (texture
coordinates, distances from the hands' axes, light) become rows of one tensor, divided by one common denominator; the
rest is a few dozen elementwise operations, in small chunks so that the temporaries stay in the cache.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.layers import DIAL_TEXTURE, RIM, ROWS, Parameters, picture_parameters
from dlcourse.clocks.scene import Scene
from dlcourse.clocks.textures import Atlas, clock_atlas
from dlcourse.numba_cache import import_compiled

# Increase it whenever the same seed gives different images: it is part of the names of cached files.
RENDERER_VERSION = 2
_CPU_CHUNK_PIXELS = 360_000  # 16 images of 150 pixels a side: with smaller chunks two threads wait for Python
_ACCELERATOR_CHUNK = 128
_WHITE = 255.0
_NOISE_ROOM = 64  # rows and columns the noise tile is longer than an image
_PLANES = 9
_BLOCK = 64  # images at the most whose parameters are computed together


@lru_cache(maxsize=8)
def _noise_tile(size: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(21)
    return (torch.rand(size + _NOISE_ROOM, size + _NOISE_ROOM, generator=generator) * 2 - 1).to(device)


def render(
    scene: Scene,
    size: int = 150,
    device: torch.device | str | None = None,
    chunk: int | None = None,
    compiled: bool = False,
) -> Tensor:
    """The scene's images: uint8 [N, size, size], 0 black. On the CPU, torch.get_num_threads() threads draw.

    Args:
        scene: N clocks.
        size: of an image in pixels, at least 16.
        device: of the images (default: the scene's).
        chunk: images that are drawn at once (default: depends on the device); the images do not depend on it. Memory
            beyond them grows with the chunk, not with N.
        compiled: on the CPU, draw with `clocks.compiled`: in half the time, but the first call in a new installation
            takes some seconds more. A few pixels in 100,000 differ by one grey level.

    Raises:
        ValueError: size or chunk is too small.
    """
    if size < 16:
        raise ValueError(f"size={size} is too small: use 16 pixels or more")
    target = torch.device(device) if device is not None else scene.minutes.device
    on_cpu = target.type == "cpu"
    if chunk is None:
        chunk = max(_CPU_CHUNK_PIXELS // size**2, 1) if on_cpu else _ACCELERATOR_CHUNK
    if chunk < 1:
        raise ValueError(f"chunk={chunk} is below 1: use 1 or more")
    scene = scene.to("cpu")
    images = torch.empty(len(scene), size, size, dtype=torch.uint8, device=target)
    threads = torch.get_num_threads() if on_cpu else 1
    block = max(1, min(_BLOCK, -(-len(scene) // threads)))
    blocks = [slice(start, start + block) for start in range(0, len(scene), block)]

    def draw(part: slice) -> None:
        _draw_block(scene[part], images[part], chunk, compiled and on_cpu)

    if threads == 1:
        for part in blocks:
            draw(part)
        return images
    # Threads that draw whole images wait for each other once; torch's own threads wait after each small operation,
    # which is very slow when other programs use the cores.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        pool.submit(clock_atlas, size, target).result()  # first, so that only one thread draws it
        list(pool.map(draw, blocks))
    torch.set_num_threads(threads)  # the workers' setting is per thread for OpenMP, but per process for MKL
    return images


def _draw_block(scene: Scene, images: Tensor, chunk: int, compiled: bool) -> None:
    """Draws a scene into `images` (uint8 [N, S, S]), `chunk` at a time."""
    size, device = images.shape[-1], images.device
    atlas, tile = clock_atlas(size, device), _noise_tile(size, device)
    # Few numbers, in float64: always computed on the CPU, so that every device draws the same scene.
    parameters = picture_parameters(scene, size, clock_atlas(size, torch.device("cpu")))
    offsets = (scene.luck[:, :2] * _NOISE_ROOM).long()
    if compiled:
        import_compiled("dlcourse.clocks.compiled").draw(parameters, atlas, tile, offsets, images)
        return
    lit = (scene.reflection_strength > 0).tolist()
    # One scratch tensor for all chunks: fresh temporaries of this size cost more in page faults than in arithmetic.
    planes = torch.empty(_PLANES, min(chunk, len(scene)), size, size, device=device)
    for start in range(0, len(scene), chunk):
        stop = min(start + chunk, len(scene))
        part = parameters[start:stop].to(device)
        scratch = planes[:, : stop - start]
        image, inside, *free = _draw(part, atlas, scratch)
        for index in range(stop - start):
            if lit[start + index]:
                _reflect(image[index], inside[index], part.lamp[index], free[0][index], free[1][index])
        _finish(image, free[0], part)
        for index, (top, left) in enumerate(offsets[start:stop].tolist()):
            image[index].addcmul_(tile[top : top + size, left : left + size], part.noise[index])
        # Half a grey level turns the conversion's truncation into rounding.
        images[start:stop] = image.add_(0.5).clamp_(0, _WHITE)


def _draw(part: Parameters, atlas: Atlas, planes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The images before lamp and camera, the dial's coverage, and two free planes: float32 [B, S, S].

    They are views of `planes` [_PLANES, B, S, S], which are all overwritten.
    """
    size = planes.shape[-1]
    steps = torch.arange(size, dtype=torch.float32, device=planes.device)
    rows = part.rows.transpose(0, 1)
    columns = (rows[..., 0, None] * steps)[:, :, None, :]
    lines = (rows[..., 1, None] * steps + rows[..., 2, None])[:, :, :, None]

    def linear(name: str, out: Tensor) -> Tensor:
        return torch.add(columns[ROWS[name]], lines[ROWS[name]], out=out)

    def projected(first: str, out: Tensor) -> Tensor:
        places = slice(ROWS[first], ROWS[first] + len(out))
        return torch.add(columns[places], lines[places], out=out).mul_(inverse)

    inverse, radius, foot, radius_y, foot_y = planes[:5]
    linear("denominator", inverse).reciprocal_()
    projected("dial_x", planes[1:9])
    # Squared radii need no root: near an edge, 1 - r is (1 - r^2) / 2.
    radius.square_().addcmul_(radius_y, radius_y)
    foot.square_().addcmul_(foot_y, foot_y)
    places = torch.where(radius < DIAL_TEXTURE, planes[5:7], planes[7:9], out=planes[5:7])
    # All images as one tall image, since they share the texture.
    places = places.view(2, 1, -1, size).permute(1, 2, 3, 0)
    texture = functional.grid_sample(atlas.texture, places, padding_mode="border", align_corners=False)
    texture = texture.view(-1, size, size)

    image, light, first, second = planes[3:7]
    linear("wood_light", image).addcmul_(texture, part.wood_contrast)
    torch.mul(foot, part.shadow_slope, out=first).add_(part.shadow_start).clamp_(0, 1)
    first.mul_(linear("shadow", light).clamp_(0, 1))
    image.addcmul_(image, first, value=-1)

    torch.mul(radius, part.slope_sharpness, out=first).add_(part.slope_start).clamp_(0, 1)
    linear("inner_light", light).addcmul_(radius, part.inner_drop).clamp_(min=9)
    light.lerp_(linear("outer_light", second), first)
    torch.mul(foot, part.line_sharpness, out=first).add_(part.line_start).abs_().neg_().add_(1).clamp_(min=0)
    light.addcmul_(first, linear("line", second).clamp_(min=0))
    # The foot's rounded edge turns away from the light.
    torch.mul(foot, 9, out=first).sub_(8).clamp_(min=0)
    light.addcmul_(light, first, value=-0.45)
    image.lerp_(light, foot.mul_(-part.foot_sharpness).add_(part.foot_sharpness + 0.5).clamp_(0, 1))

    linear("dial_light", light).addcmul_(texture, part.ink, value=-1)
    torch.sub(radius, RIM, out=first).clamp_(min=0).square_()
    light.addcmul_(first, part.rim_shade, value=-1)
    hands = projected("hour_along", planes[5:9])
    along, across = hands[::2], hands[1::2].abs_()
    across.addcmul_(along, part.hand_taper.transpose(0, 1))
    along.abs_()
    torch.sub(part.hand_extent.transpose(0, 1), hands, out=hands)
    for hand, grey in ((hands[:2], part.hour_light), (hands[2:], part.minute_light)):
        light.lerp_(grey, torch.minimum(hand[0], hand[1], out=hand[0]).clamp_(0, 1))

    inside = radius.mul_(-part.dial_sharpness).add_(part.dial_sharpness + 0.5).clamp_(0, 1)
    image.lerp_(light, inside)
    # The product peaks on the one-pixel ramp between dial and frame, where the rim reflects light.
    torch.mul(inside, inside, out=first).sub_(inside)
    image.addcmul_(first, projected("glint", second[None])[0].clamp_(min=0), value=-1)
    starts = torch.arange(len(image), device=image.device)[:, None] * size**2
    image.view(-1).index_add_(0, (part.speck_index + starts).view(-1), part.speck_light.reshape(-1))
    return image, inside, light, first


def _reflect(image: Tensor, inside: Tensor, lamp: Tensor, distance2: Tensor, share: Tensor) -> None:
    """Mixes a lamp's reflection and its haze into one image [S, S], in place; the last two are scratch."""
    steps = torch.arange(len(image), dtype=torch.float32, device=image.device) / len(image)
    x, y, core, strength, haze_size, haze = lamp.unbind()
    torch.add((steps - x).square(), (steps - y).square()[:, None], out=distance2)
    torch.mul(distance2, core, out=share).add_(1).square_().reciprocal_().mul_(strength).mul_(inside)
    share.add_(distance2.mul_(haze_size).add_(1).square_().reciprocal_().mul_(haze))
    image.lerp_(image.new_full((), _WHITE), share.clamp_(max=1))


def _finish(image: Tensor, scratch: Tensor, part: Parameters) -> None:
    """Veil, blur or sharpening, and light lines along the edges, in place on [B, S, S]."""
    image.mul_(1 - part.veil).add_(part.veil * _WHITE)
    for lines, free in ((image, scratch), (image.transpose(1, 2), scratch.transpose(1, 2))):
        middle = lines[..., 1:-1]
        around = torch.add(lines[..., :-2], lines[..., 2:], out=free[..., 1:-1]).sub_(middle, alpha=2)
        middle.addcmul_(around, part.blur)
    for side, line in enumerate((image[:, :, 0], image[:, :, -1], image[:, 0], image[:, -1])):
        line.lerp_(line.new_full((), _WHITE), part.edges[:, side, None])
