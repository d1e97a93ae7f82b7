"""Plot of a polar net: images as it unrolls them around their middle."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from dlcourse.data.module import DataModule
from dlcourse.models.base import BaseModule
from dlcourse.nets.polar import PolarNet
from dlcourse.plots.curves import ANSWER, save

SHOWN = 4


@torch.inference_mode()
def draw(folder: Path, model: BaseModule, data: DataModule) -> None:
    """`plots/unrolled.png`: test images, each beside its samples around the circle."""
    images = data.arrays[model.split][0][:SHOWN]
    net = model.net
    assert isinstance(net, PolarNet)
    unrolled = net.unrolled(model.normalize(images.to(model.device))).mean(1).flip(1).cpu()
    figure = Figure(figsize=(10, 1.9 * len(images)), layout="constrained")
    figure.suptitle("Images unrolled around their middle: a turn of the object is a shift here")
    cells = figure.subplots(len(images), 2, width_ratios=[1, 4], squeeze=False)
    x, y = ((net.grid[0].cpu() + 1) / 2 * images.shape[1] - 0.5).unbind(-1)
    for (left, right), image, strip in zip(cells, images, unrolled, strict=True):
        left.imshow(image.numpy(), cmap="gray", vmin=0, vmax=255)
        for ring in (0, -1):
            left.plot(x[ring].tolist(), y[ring].tolist(), color=ANSWER, linewidth=0.8)
        left.plot(x[:, 0].tolist(), y[:, 0].tolist(), color=ANSWER, linewidth=0.8)
        left.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
        left.set_axis_off()
        right.imshow(strip.numpy(), cmap="gray", extent=(0, 360, 0, 1), aspect="auto")
        right.set(xticks=range(0, 361, 45), yticks=[])
    cells[-1, 1].set_xlabel("degrees, clockwise from the top of the image; the middle is at the bottom")
    save(figure, folder / "plots" / "unrolled.png")
