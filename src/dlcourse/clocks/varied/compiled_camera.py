"""Light, lens and sensor of varied clocks as compiled loops: what `camera` does, and the noise, for one image."""

from __future__ import annotations

import numpy as np
from numba import float32

from dlcourse.clocks.varied.camera import JPEG, NOISE_ROOM, REFERENCE, TAPS, dct
from dlcourse.clocks.varied.compiled_row import HALF, ONE, WHITE, ZERO, compiled, direction

_QUANTIZATION, _BASIS = JPEG.numpy(), dct().numpy()
_INVERSE = np.ascontiguousarray(_BASIS.T)
_REACH = TAPS // 2


@compiled()
def finish(p, picture, steps, grains, image):
    """From the drawn picture [S, 3, S], which is changed, to the image, uint8 [S, S, 3]."""
    size = len(steps)
    for y in range(size):
        _light(p, steps, steps[y], picture[y])
    if p.blur > ZERO or p.motion > ZERO:
        _blur(p, picture)
    if p.jpeg > ZERO:
        _compress(p.jpeg, picture)
    noise = p.noise * (float32(4) if p.dark > ZERO else ONE) / float32(3)
    top, left = int(p.luck[3] * NOISE_ROOM), int(p.luck[4] * NOISE_ROOM)
    for y in range(size):
        for c in range(3):
            line, grain = picture[y, c], grains[c, top + y, left : left + size]
            for x in range(size):
                level = (line[x] + noise * grain[x]) * WHITE + HALF
                line[x] = min(max(level, ZERO), WHITE)
        for x in range(size):
            image[y, x, 0] = np.uint8(picture[y, 0, x])
            image[y, x, 1] = np.uint8(picture[y, 1, x])
            image[y, x, 2] = np.uint8(picture[y, 2, x])


@compiled()
def _light(p, steps, step, row):
    shade, glare, size = p.shade, p.glare, len(steps)
    sin, cos = direction(p.shade_angle)
    place = p.shade_place
    zoom = p.radius
    lamp_x, lamp_y = p.centre[0] + zoom * p.glare_x, p.centre[1] + zoom * p.glare_y
    extent = ONE / max(zoom * zoom * p.glare_size * p.glare_size, float32(1e-12))
    exposure = p.exposure * (ONE - p.dark)
    gain, haze = exposure * (ONE - p.haze), exposure * p.haze * float32(0.6)
    for x in range(size):
        kept, added = ONE, ZERO
        if shade > ZERO:
            side = sin * (steps[x] - HALF) - cos * (step - HALF) - place
            kept = ONE - min(max(side * size / float32(3), ZERO), ONE) * shade
        if glare > ZERO:
            across, down = steps[x] - lamp_x, step - lamp_y
            near = (across * across + down * down) * extent + ONE
            added = glare / (near * near)
        kept, added = kept * (ONE - added) * gain, added * gain + haze
        row[0, x] = row[0, x] * kept + added
        row[1, x] = row[1, x] * kept + added
        row[2, x] = row[2, x] * kept + added


@compiled()
def _blur(p, picture):
    size = len(picture)
    scale = float32(size) / float32(REFERENCE)
    across = max(p.blur * scale, float32(0.2))
    along = np.sqrt(across * across + p.motion * p.motion * scale * scale)
    sin, cos = direction(p.motion_angle)
    kernel, total = np.empty((TAPS, TAPS), np.float32), ZERO
    for i in range(TAPS):
        for j in range(TAPS):
            x, y = float32(j - _REACH), float32(i - _REACH)
            first, second = (x * cos + y * sin) / along, (y * cos - x * sin) / across
            kernel[i, j] = np.exp(-HALF * (first * first + second * second))
            total += kernel[i, j]
    padded = np.empty((size + 2 * _REACH, size + 2 * _REACH), np.float32)
    found = np.empty((size, size), np.float32)
    for c in range(3):
        for y in range(len(padded)):
            line = picture[min(max(y - _REACH, 0), size - 1), c]
            for x in range(len(padded)):
                padded[y, x] = line[min(max(x - _REACH, 0), size - 1)]
        if p.motion > ZERO:
            _convolve(padded, kernel, found)
        else:  # equal in all directions: rows, then columns
            _convolve_separately(padded, kernel[_REACH], found)
        for y in range(size):
            for x in range(size):
                picture[y, c, x] = found[y, x] / total


@compiled()
def _convolve(padded, kernel, found):
    size = len(found)
    for y in range(size):
        for x in range(size):
            found[y, x] = ZERO
        for i in range(TAPS):
            for j in range(TAPS):
                weight = kernel[i, j]
                for x in range(size):
                    found[y, x] += weight * padded[y + i, x + j]


@compiled()
def _convolve_separately(padded, weights, found):
    """With a kernel whose middle row is `weights`, and whose weights' sum is the square of theirs."""
    size = len(found)
    for y in range(len(padded)):
        for x in range(size):  # places to the left are not needed any more
            total = ZERO
            for j in range(TAPS):
                total += weights[j] * padded[y, x + j]
            padded[y, x] = total
    for y in range(size):
        for x in range(size):
            total = ZERO
            for i in range(TAPS):
                total += weights[i] * padded[y + i, x]
            found[y, x] = total


@compiled()
def _compress(strength, picture):
    """What JPEG's quantization does to blocks of 8 pixels."""
    size = len(picture)
    block, half = np.empty((8, 8), np.float32), np.empty((8, 8), np.float32)
    forward, back = _BASIS, _INVERSE
    for c in range(3):
        for top in range(0, size - 7, 8):
            for left in range(0, size - 7, 8):
                for i in range(8):
                    for j in range(8):
                        block[i, j] = picture[top + i, c, left + j]
                _product(forward, block, half)
                _product(half, back, block)
                for i in range(8):
                    for j in range(8):
                        step = _QUANTIZATION[i, j] * strength
                        block[i, j] = np.rint(block[i, j] / step) * step
                _product(back, block, half)
                _product(half, forward, block)
                for i in range(8):
                    for j in range(8):
                        picture[top + i, c, left + j] = block[i, j]


@compiled()
def _product(first, second, found):
    for i in range(8):
        for j in range(8):
            found[i, j] = ZERO
        for k in range(8):
            value = first[i, k]
            for j in range(8):
                found[i, j] += value * second[k, j]
