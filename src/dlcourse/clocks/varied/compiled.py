"""The renderer of varied clocks as loops over rows of pixels that numba compiles for the CPU: images of `draw`, faster.

`draw` computes every part that one image of a batch has for all pixels of all its images. Here an image has only its
own parts, and hands and print only pixels near the dial. The arithmetic is the same, which a test compares: each
`compiled_...` module does what the module of the rest of its name does.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import float32
from torch import Tensor

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.atlas import font_files, glyphs, walls
from dlcourse.clocks.varied.compiled_camera import finish
from dlcourse.clocks.varied.compiled_dial import draw_cover, draw_dial, draw_frame, draw_things, draw_wall, wall_pattern
from dlcourse.clocks.varied.compiled_hands import draw_hands
from dlcourse.clocks.varied.compiled_print import draw_print
from dlcourse.clocks.varied.compiled_row import HALF, ONE, ZERO, Row, compiled, coordinates, near
from dlcourse.clocks.varied.hands import hand_angles
from dlcourse.clocks.varied.palette import palette, things
from dlcourse.clocks.varied.planes import view
from dlcourse.clocks.varied.scene import pose

REACH = float32(1.03)  # dial radii: nothing that hands and print draw is further from the centre


def render_compiled(scene: Scene, grains: Tensor, images: Tensor) -> None:
    """Draw N clocks into `images`, uint8 [N, S, S, 3]; `grains` is noise [3, more, more]. All on the CPU."""
    cpu = torch.device("cpu")
    texts, tiles = glyphs(cpu)[0, 0].numpy(), walls(cpu).numpy()
    _render(_parameters(scene, images.shape[1]), texts, len(font_files()), tiles, grains.numpy(), images.numpy())


def _parameters(scene: Scene, size: int) -> np.ndarray:
    """Everything that is the same for all pixels of an image, as one record for each image [N].

    Its fields are the factors of the scene, the colours of `Palette` as `in_NAME`, and those named here.
    """
    rows, pixels = view(scene, size)
    minute, hour = (torch.deg2rad(angle) for angle in hand_angles(scene))
    behind, luck = things(scene), scene.luck
    values = {name: getattr(scene, name) for name in scene.kind.columns()}
    values |= {f"in_{part}": colour for part, colour in palette(scene)._asdict().items()}
    values |= {"rows": rows, "pixels": pixels, "minute_turn": minute, "hour_turn": hour, "centre": pose(scene).centre}
    values |= {"thing_shapes": behind.shapes, "thing_colours": behind.colours, "luck": luck}
    values |= {"radius": scene.zoom / (1 + scene.far), "text": (scene.word_which * 11.99).floor()}
    records = np.empty(len(scene), [(name, np.float32, value.shape[1:]) for name, value in values.items()])
    for name, value in values.items():
        records[name] = value.numpy()
    return records


@compiled()
def _render(records, texts, fonts, tiles, grains, images):
    count, size = images.shape[:2]
    picture = np.empty((size, 3, size), np.float32)  # rows first, so that a row is contiguous
    steps = (np.arange(size).astype(np.float32) + HALF) / float32(size)
    room = np.empty((10, size), np.float32)
    for n in range(count):
        p = records[n]
        for i in range(size):
            row = Row(room[0], room[1], room[2], room[3], room[4], room[5], room[6], room[7], room[8], room[9],
                      picture[i], steps)  # fmt: skip
            coordinates(p.rows, steps[i], row)
            for k in range(size):
                row.left[k] = ONE
                picture[i, 0, k], picture[i, 1, k], picture[i, 2, k] = ZERO, ZERO, ZERO
            if p.dial_texture > ZERO or (p.pattern > ZERO and p.plain_wall == ZERO):
                wall_pattern(p, tiles, steps[i], row)
            if p.cover > ZERO:
                draw_cover(p, row)
            if p.absent == ZERO:
                first, last = near(row.r, REACH + HALF / p.pixels)
                if first < last:
                    draw_hands(p, first, last, row)
                    draw_print(p, texts, fonts, first, last, row)
                draw_dial(p, row)
                draw_frame(p, row)
            if p.things > ZERO:
                draw_things(p, steps[i], row)
            draw_wall(p, steps[i], row)
        finish(p, picture, steps, grains, images[n])
