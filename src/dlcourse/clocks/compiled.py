"""The clock renderer as one loop over pixels that numba compiles for the CPU: the images of `render`, faster.

`render` passes every plane of a batch through memory for each operation; here a row of pixels stays in the cache. The
arithmetic is that of `_draw`, `_reflect` and `_finish` there, which a test compares. numba compiles the code at the
first call, which takes a few seconds, and keeps it on disk.
"""

from collections import namedtuple
from dataclasses import fields
from functools import partial

import numba
import numpy as np
from numba import float32
from torch import Tensor

from dlcourse.clocks.layers import DIAL_TEXTURE, RIM, ROWS, Parameters
from dlcourse.clocks.textures import Atlas

# Module-level integers are constants for the compiler.
DENOMINATOR, DIAL_X, FOOT_X, DIAL_Y, FOOT_Y, INK_X, INK_Y, WOOD_X, WOOD_Y, *_hands_and_light = ROWS.values()
HOUR_ALONG, HOUR_ACROSS, MINUTE_ALONG, MINUTE_ACROSS, *_light = _hands_and_light
GLINT, INNER_LIGHT, OUTER_LIGHT, LINE, SHADOW, DIAL_LIGHT, WOOD_LIGHT = _light
ZERO, HALF, ONE, TWO, WHITE = float32(0), float32(0.5), float32(1), float32(2), float32(255)

# The fields of `Parameters` as float32 arrays [N, K], `rows` [N, len(ROWS), 3], `speck_index` int64.
Numbers = namedtuple("Numbers", [field.name for field in fields(Parameters)])

# Without `error_model`, each division has a branch for zero, and the loops are not vectorized.
compiled = partial(numba.njit, cache=True, nogil=True, fastmath=True, error_model="numpy")


def draw(parameters: Parameters, atlas: Atlas, tile: Tensor, offsets: Tensor, images: Tensor) -> None:
    """Draw N clocks into `images`; all tensors are on the CPU.

    Args:
        parameters: of the images.
        atlas: the dials and planks that they refer to.
        tile: noise, larger than an image by more than the offsets.
        offsets: int64 [N, 2]: row and column of the tile where an image's noise begins.
        images: uint8 [N, S, S], overwritten.
    """
    tensors = {name: getattr(parameters, name) for name in Numbers._fields}
    arrays = {name: (value if name == "rows" else value.flatten(1)).numpy() for name, value in tensors.items()}
    numbers = Numbers(**{name: np.ascontiguousarray(array) for name, array in arrays.items()})
    _draw(numbers, atlas.texture[0, 0].numpy(), tile.numpy(), offsets.numpy(), images.numpy())


@compiled()
def _draw(p, texture, tile, offsets, images):
    count, size, _ = images.shape
    image, inside = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    line = np.empty(size, np.float32)
    for n in range(count):
        _paint(p, n, texture, image, inside)
        for k in range(p.speck_index.shape[1]):
            image[p.speck_index[n, k] // size, p.speck_index[n, k] % size] += p.speck_light[n, k]
        if p.lamp[n, 3] > ZERO:
            _reflect(p.lamp[n], inside, image)
        _finish(p.veil[n, 0], p.blur[n, 0], p.edges[n], line, image)
        top, left = offsets[n]
        _to_bytes(image, tile[top : top + size, left : left + size], p.noise[n, 0], images[n])


@compiled()
def _to_bytes(image, tile, noise, grey):
    for y in range(len(image)):
        for x in range(len(image)):
            level = image[y, x] + tile[y, x] * noise + HALF  # a half: the conversion truncates
            grey[y, x] = np.uint8(min(max(level, ZERO), WHITE))


@compiled(inline="always")
def _share(x):
    return min(max(x, ZERO), ONE)


@compiled(inline="always")
def _linear(row, at, quantity, x):
    """A quantity that is linear in the image, at column x of the line of pixels that `at` belongs to."""
    return row[quantity, 0] * x + at[quantity]


@compiled(inline="always")
def _hand(along, across, length, width, taper):
    """How much of a pixel a hand covers; in pixels from its middle along and across it."""
    return _share(min(length - abs(along), width - abs(across) - along * taper))


@compiled()
def _paint(p, n, texture, image, inside):
    """One image before lamp and camera, and the dial's coverage [S, S]."""
    size = len(image)
    row = p.rows[n]
    column, at = np.arange(size).astype(np.float32), np.empty(len(row), np.float32)
    inverse, radii, feet = np.empty_like(column), np.empty_like(column), np.empty_like(column)
    across, down = np.empty_like(column), np.empty_like(column)
    for y in range(size):
        for k in range(len(row)):
            at[k] = row[k, 1] * float32(y) + row[k, 2]
        _project(row, at, column, texture, inverse, radii, feet, across, down)
        _sample(texture, across, down)
        _shade(p, n, row, at, column, inverse, radii, feet, across, image[y], inside[y])


@compiled(inline="always")
def _project(row, at, column, texture, inverse, radii, feet, across, down):
    """A row of pixels: 1 / depth, squared radii on the dial and on the frame's foot, and places in the texture."""
    height, width = texture.shape
    rows, columns = float32(height), float32(width)
    for i in range(len(column)):
        x = column[i]
        near = ONE / (_linear(row, at, DENOMINATOR, x))
        dial_x, dial_y = _linear(row, at, DIAL_X, x) * near, _linear(row, at, DIAL_Y, x) * near
        foot_x, foot_y = _linear(row, at, FOOT_X, x) * near, _linear(row, at, FOOT_Y, x) * near
        radius = dial_x * dial_x + dial_y * dial_y
        ink_x, ink_y = _linear(row, at, INK_X, x) * near, _linear(row, at, INK_Y, x) * near
        wood_x, wood_y = _linear(row, at, WOOD_X, x) * near, _linear(row, at, WOOD_Y, x) * near
        on_dial = radius < float32(DIAL_TEXTURE)
        left, top = (ink_x if on_dial else wood_x), (ink_y if on_dial else wood_y)
        # As grid_sample: -1 to 1 are the texture's edges, and beyond them the nearest texel counts.
        across[i] = min(max(((left + ONE) * columns - ONE) * HALF, ZERO), columns - ONE)
        down[i] = min(max(((top + ONE) * rows - ONE) * HALF, ZERO), rows - ONE)
        inverse[i], radii[i], feet[i] = near, radius, foot_x * foot_x + foot_y * foot_y


@compiled(inline="always")
def _sample(texture, across, down):
    """Bilinear samples of the texture at columns `across` and rows `down`; they replace `across`."""
    height, width = texture.shape
    texels = texture.reshape(-1)
    one, line = np.uint64(1), np.uint64(width)
    for i in range(len(across)):
        left, top = min(np.int64(across[i]), width - 2), min(np.int64(down[i]), height - 2)
        right, below = across[i] - float32(left), down[i] - float32(top)
        first = np.uint64(top * width + left)  # unsigned: numba counts negative indices from the end, which takes time
        upper = texels[first] * (ONE - right) + texels[first + one] * right
        lower = texels[first + line] * (ONE - right) + texels[first + line + one] * right
        across[i] = upper * (ONE - below) + lower * below


@compiled(inline="always")
def _shade(p, n, row, at, column, inverse, radii, feet, texture, image, inside):
    """Grey levels of a row of pixels, and the dial's coverage of them."""
    # Read once: inside the loop, the compiler could not know that writing the image leaves them unchanged.
    wood_contrast, ink, rim_shade = p.wood_contrast[n, 0], p.ink[n, 0], p.rim_shade[n, 0]
    shadow_slope, shadow_start = p.shadow_slope[n, 0], p.shadow_start[n, 0]
    slope_start, slope_sharpness, inner_drop = p.slope_start[n, 0], p.slope_sharpness[n, 0], p.inner_drop[n, 0]
    line_start, line_sharpness = p.line_start[n, 0], p.line_sharpness[n, 0]
    foot_sharpness, dial_sharpness = p.foot_sharpness[n, 0], p.dial_sharpness[n, 0]
    hour_length, hour_width, minute_length, minute_width = p.hand_extent[n]
    hour_taper, minute_taper = p.hand_taper[n]
    hour_light, minute_light = p.hour_light[n, 0], p.minute_light[n, 0]
    for i in range(len(column)):
        x, near, radius, foot, grain = column[i], inverse[i], radii[i], feet[i], texture[i]
        wood = _linear(row, at, WOOD_LIGHT, x) + grain * wood_contrast
        shadow = _share(_linear(row, at, SHADOW, x)) * _share(foot * shadow_slope + shadow_start)
        wood -= wood * shadow

        inner = max(_linear(row, at, INNER_LIGHT, x) + radius * inner_drop, float32(9))
        outer = _linear(row, at, OUTER_LIGHT, x)
        frame = inner + (outer - inner) * _share(radius * slope_sharpness + slope_start)
        on_line = max(ONE - abs(foot * line_sharpness + line_start), ZERO)
        frame += on_line * max(_linear(row, at, LINE, x), ZERO)
        frame -= float32(0.45) * frame * max(foot * float32(9) - float32(8), ZERO)
        grey = wood + (frame - wood) * _share(foot_sharpness + HALF - foot * foot_sharpness)

        dial = _linear(row, at, DIAL_LIGHT, x) - grain * ink
        rim = max(radius - float32(RIM), ZERO)
        dial -= rim * rim * rim_shade
        along, across = _linear(row, at, HOUR_ALONG, x) * near, _linear(row, at, HOUR_ACROSS, x) * near
        dial += (hour_light - dial) * _hand(along, across, hour_length, hour_width, hour_taper)
        along, across = _linear(row, at, MINUTE_ALONG, x) * near, _linear(row, at, MINUTE_ACROSS, x) * near
        dial += (minute_light - dial) * _hand(along, across, minute_length, minute_width, minute_taper)

        cover = _share(dial_sharpness + HALF - radius * dial_sharpness)
        grey += (dial - grey) * cover
        image[i] = grey - (cover * cover - cover) * max(_linear(row, at, GLINT, x) * near, ZERO)
        inside[i] = cover


@compiled()
def _reflect(lamp, inside, image):
    x, y, core, strength, haze_size, haze = lamp
    size = len(image)
    steps = np.arange(size).astype(np.float32) / float32(size)
    for i in range(size):
        down = steps[i] - y
        for j in range(size):
            across = steps[j] - x
            distance = across * across + down * down
            near, far = ONE + distance * core, ONE + distance * haze_size
            share = min(inside[i, j] * strength / (near * near) + haze / (far * far), ONE)
            image[i, j] += (WHITE - image[i, j]) * share


@compiled()
def _finish(veil, blur, edges, line, image):
    """Veil, blur or sharpening along rows, then along columns, and light lines along the edges."""
    size = len(image)
    for y in range(size):
        for x in range(size):
            line[x] = image[y, x] * (ONE - veil) + veil * WHITE
        image[y, 0], image[y, size - 1] = line[0], line[size - 1]
        for x in range(1, size - 1):
            image[y, x] = line[x] + blur * (line[x - 1] + line[x + 1] - TWO * line[x])
    line[:] = image[0]
    for y in range(1, size - 1):
        for x in range(size):
            before, grey = line[x], image[y, x]
            line[x] = grey
            image[y, x] = grey + blur * (before + image[y + 1, x] - TWO * grey)
    left, right, top, bottom = edges
    for y in range(size):
        image[y, 0] += (WHITE - image[y, 0]) * left
        image[y, size - 1] += (WHITE - image[y, size - 1]) * right
    for x in range(size):
        image[0, x] += (WHITE - image[0, x]) * top
        image[size - 1, x] += (WHITE - image[size - 1, x]) * bottom
