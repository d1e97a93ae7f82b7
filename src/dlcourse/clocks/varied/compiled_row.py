"""One row of pixels of the compiled renderer, and what all its layers share."""

from collections import namedtuple
from functools import partial

import numba
import numpy as np
from numba import float32

# Module-level numbers are constants for the compiler.
ZERO, HALF, ONE, TWO, WHITE = float32(0), float32(0.5), float32(1), float32(2), float32(255)
DEGREE = float32(np.pi / 180)

# Coordinates on the dial, distance and direction from its centre, distance by its form, light that reaches the next
# layer, a layer's coverage, the share of it that has the second colour, light that is added, the wall's pattern: [S].
# What is drawn [3, S], and the columns' places in image sides [S].
Row = namedtuple("Row", "x y r angle far left cover share light pattern picture steps")

# Without `error_model`, each division has a branch for zero, and the loops are not vectorized.
compiled = partial(numba.njit, cache=True, nogil=True, fastmath=True, error_model="numpy")


@compiled()
def coordinates(linear, step, row):
    """The dial's own coordinates of the pixels, from `planes.view`."""
    steps = row.steps
    x_step, y_step, depth_step = linear[0, 0], linear[1, 0], linear[2, 0]
    x_start, y_start = linear[0, 1] * step + linear[0, 2], linear[1, 1] * step + linear[1, 2]
    depth = linear[2, 1] * step + linear[2, 2]
    for i in range(len(steps)):
        scale = ONE / max(depth_step * steps[i] + depth, float32(0.1))
        x, y = (x_step * steps[i] + x_start) * scale, (y_step * steps[i] + y_start) * scale
        row.x[i], row.y[i], row.r[i] = x, y, np.sqrt(x * x + y * y)


@compiled()
def near(r, reach):
    """The first pixel of a row that is nearer to the dial's centre than `reach`, and the one after the last."""
    first, last = 0, len(r)
    while first < last and r[first] > reach:
        first += 1
    while last > first and r[last - 1] > reach:
        last -= 1
    return first, last


@compiled()
def ramp(inside, pixels):
    """Coverage of a signed distance in dial radii."""
    return min(max(inside * pixels + HALF, ZERO), ONE)


@compiled()
def add(row, colour, first, last):
    """Add a layer of one colour behind those before."""
    red, green, blue = colour
    for i in range(first, last):
        weight = row.left[i] * row.cover[i]
        row.left[i] -= weight
        row.picture[0, i] += weight * red
        row.picture[1, i] += weight * green
        row.picture[2, i] += weight * blue


@compiled()
def add_shaded(row, colour, second, first, last):
    """Add a layer of two colours, and of `row.light` more or less brightness."""
    red, green, blue = colour
    more_red, more_green, more_blue = second[0] - red, second[1] - green, second[2] - blue
    for i in range(first, last):
        weight, share, light = row.left[i] * row.cover[i], row.share[i], row.light[i]
        row.left[i] -= weight
        row.picture[0, i] += weight * (red + share * more_red + light)
        row.picture[1, i] += weight * (green + share * more_green + light)
        row.picture[2, i] += weight * (blue + share * more_blue + light)


@compiled()
def direction(degrees):
    angle = degrees * DEGREE
    return np.sin(angle), np.cos(angle)


@compiled()
def sample(texture, across, down):
    """Bilinear sample of a texture [H, W] at a column and a row, 0 to W - 1 and H - 1."""
    height, width = texture.shape
    left, top = min(np.int64(across), width - 2), min(np.int64(down), height - 2)
    right, below = float32(across) - float32(left), float32(down) - float32(top)
    upper = texture[top, left] * (ONE - right) + texture[top, left + 1] * right
    lower = texture[top + 1, left] * (ONE - right) + texture[top + 1, left + 1] * right
    return upper * (ONE - below) + lower * below
