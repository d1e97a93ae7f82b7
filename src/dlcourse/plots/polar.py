"""Plot of a polar net: images as it unrolls them, and where it thinks that the object begins."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from dlcourse.data.module import DataModule
from dlcourse.models.base import BaseModule
from dlcourse.plots.curves import ANSWER, save

SHOWN = 4


@torch.inference_mode()
def draw(folder: Path, model: BaseModule, data: DataModule) -> None:
    """`plots/unrolled.png`: test images, each beside its samples around the circle and the angle of its beginning."""
    images = data.arrays[model.split][0][:SHOWN]
    net = model.net
    unrolled = net.unrolled(model.normalize(images.to(model.device)))
    begin = net.beginning(unrolled)[0].cpu()
    figure = Figure(figsize=(10, 1.9 * len(images)), layout="constrained")
    figure.suptitle("Images unrolled around their middle; red: where the object begins, such as a clock's twelve")
    cells = figure.subplots(len(images), 2, width_ratios=[1, 4], squeeze=False)
    angles, columns = unrolled.shape[3], begin.shape[1]
    degrees = (torch.arange(columns) + 0.5) * (360 / columns)
    for (left, right), image, strip, chances in zip(cells, images, unrolled.cpu(), begin, strict=True):
        left.imshow(image.numpy(), cmap="gray", vmin=0, vmax=255)
        x, y = (net.grid[0, [0, -1], chances.argmax() * angles // columns].cpu().T + 1) / 2 * image.shape[0] - 0.5
        left.plot(x.tolist(), y.tolist(), color=ANSWER, linewidth=1.5)
        left.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
        left.set_axis_off()
        right.imshow(strip.mean(0).flip(0).numpy(), cmap="gray", extent=(0, 360, 0, 1), aspect="auto")
        right.plot(degrees.tolist(), chances.tolist(), color=ANSWER)
        right.set(xticks=range(0, 361, 45), yticks=[], ylim=(0, 1))
    cells[-1, 1].set_xlabel("degrees, clockwise from the top of the image; the middle is at the bottom")
    save(figure, folder / "plots" / "unrolled.png")
