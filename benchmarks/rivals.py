"""The same clock as a user would draw it with matplotlib or PIL, from outlines that are worked out beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dlcourse.clocks.geometry import Camera
from dlcourse.clocks.numerals import numeral_segments
from dlcourse.clocks.scene import Scene


@dataclass
class Outline:
    """A shape in pixels [K, 2]: filled, or lines of a width where that is above 0; grey 0 to 255."""

    points: np.ndarray
    grey: float
    width: float = 0.0


def outlines(scene: Scene, size: int) -> list[list[Outline]]:
    """What each picture of a scene shows, the lowest first: planks, frame, dial, marks, numerals, hands."""
    camera = Camera.of(scene, size)

    def seen(points: np.ndarray, turn: torch.Tensor | float = 0.0, height: float = 0.0) -> np.ndarray:
        """World points [K, 2] turned clockwise by so many degrees, in the pixels of each picture [N, K, 2]."""
        angle = torch.deg2rad(scene.azimuth.double() + turn)[:, None]
        x, y = torch.from_numpy(np.asarray(points, float)).unbind(1)
        turned = torch.stack([x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()], -1)
        return camera.project(turned, height).numpy()

    found: list[list[Outline]] = [[] for _ in range(len(scene))]

    def add(points: np.ndarray, greys: torch.Tensor, widths: torch.Tensor | None = None) -> None:
        for i, shapes in enumerate(found):
            width = 0.0 if widths is None else float(widths[i]) * float(scene.zoom[i]) * size
            shapes.append(Outline(points[i], float(greys[i]), width))

    for number in range(-8, 8):  # planks
        plank = [(-4, number * 0.4), (4, number * 0.4), (4, number * 0.4 + 0.38), (-4, number * 0.4 + 0.38)]
        add(seen(np.array(plank)), scene.wood_brightness + scene.wood_contrast * ((number * 7 % 5) - 2) / 2)
    for radius, grey in ((1.18, scene.frame_outer), (1.06, scene.frame_inner), (1.0, scene.dial_brightness)):
        add(seen(circle(radius)), grey)
    dark = scene.dial_brightness - scene.ink
    for minute in range(60):
        angle, start = np.deg2rad(6 * minute), 0.87 if minute % 5 == 0 else 0.91
        way = np.array([np.sin(angle), np.cos(angle)])
        add(seen(np.stack([way * start, way * 0.94])), dark, torch.full((len(scene),), 0.02))
        if minute % 5 == 0:
            for segment in numeral_segments(minute // 5 or 12):
                add(seen(np.array(segment) * 0.16 + way * 0.72), dark, torch.full((len(scene),), 0.022))
    hands = (("hour", scene.hour_angle), ("minute", scene.minute_angle))
    for name, turn in hands:
        length, width = (getattr(scene, f"{name}_{what}").mean().item() for what in ("length", "width"))
        hand = np.array(
            [(-width / 2, -0.08), (width / 2, -0.08), (width / 2 * 0.8, length), (-width / 2 * 0.8, length)]
        )
        add(seen(hand, turn, 0.02), scene.hand_brightness)
    add(seen(circle(0.05)), scene.hand_brightness)
    return found


def circle(radius: float, corners: int = 72) -> np.ndarray:
    """Corners [K, 2] of a circle."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return radius * np.stack([np.sin(angle), np.cos(angle)], 1)


def finished(picture: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """A camera's blur and noise: uint8 [S, S]."""
    x = picture.astype(np.float32)
    x[1:-1] = 0.8 * x[1:-1] + 0.1 * (x[:-2] + x[2:])
    x[:, 1:-1] = 0.8 * x[:, 1:-1] + 0.1 * (x[:, :-2] + x[:, 2:])
    return (x + draws.uniform(-1, 1, x.shape)).clip(0, 255).astype(np.uint8)


def by_pil(shapes: list[Outline], size: int, draws: np.random.Generator) -> np.ndarray:
    """PIL's ImageDraw, which has no soft edges, at twice the size and reduced."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (2 * size, 2 * size), 80)
    pen = ImageDraw.Draw(picture)
    for shape in shapes:
        points = [tuple(point) for point in (2 * shape.points).tolist()]
        if shape.width:
            pen.line(points, fill=int(shape.grey), width=max(1, round(2 * shape.width)))
        else:
            pen.polygon(points, fill=int(shape.grey))
    return finished(np.asarray(picture.reduce(2)), draws)


def by_matplotlib(shapes: list[Outline], size: int, draws: np.random.Generator) -> np.ndarray:
    """A figure of so many pixels with patches and lines, drawn by Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size / 100, size / 100), dpi=100, facecolor="0.31")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    for shape in shapes:
        grey = f"{min(max(shape.grey / 255, 0), 1):.3f}"
        if shape.width:
            axes.plot(*shape.points.T, color=grey, linewidth=shape.width * 0.72)
        else:
            axes.fill(*shape.points.T, color=grey, linewidth=0)
    canvas.draw()
    return finished(np.asarray(canvas.buffer_rgba())[..., 0], draws)
