"""Pictures of a model that draws pictures: its samples, its training, what lies between, what it may have copied."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse import fidelity
from dlcourse.data.batches import seeded
from dlcourse.data.module import DataModule
from dlcourse.latents import STEPS, between, directions
from dlcourse.plots.curves import draw_curves
from dlcourse.plots.mosaic import draw_rows, save_animation

SAMPLES, ROW = 64, 16
PAIRS = 6  # interpolations
COPIES = 12  # samples whose nearest training pictures are shown


def draw(folder: Path, model: Any, data: DataModule) -> None:
    """All pictures of a `Generative` into `folder`/plots; left out is what the model cannot do.

    Args:
        folder: the run folder.
        model: tested, so that it knows the data.
        data: whose `arrays` hold the pictures.
    """
    plots = folder / "plots"
    if (folder / "metrics.csv").exists():
        draw_curves(folder, *model.curves)
    own = data.arrays[model.split][0]
    if model.frames:
        draw_training(plots, model.frames)
    if model.samples:
        _draw_samples(plots / "samples.png", model)
        _draw_between_draws(plots / "interpolation.png", model)
        _draw_nearest(plots / "nearest.png", model, data)
    if hasattr(model.net, "encoder"):
        _draw_reconstructions(plots / "reconstructions.png", model, own)
        _draw_between_pictures(plots / "interpolation_pictures.png", model, own)
    _draw_traversals(plots / "traversals.png", model, own)


def chosen_epochs(epochs: list[int]) -> list[int]:
    """The first, the middle and the last of the epochs that were kept; of 40 they are 0, 19 and 39."""
    return sorted({epochs[0], epochs[(len(epochs) - 1) // 2], epochs[-1]})


def draw_training(plots: Path, frames: dict[int, Tensor]) -> None:
    """`epochs.png`, three stages of the same pictures, and `training.gif`, all that were kept."""
    epochs = chosen_epochs(sorted(frames))
    rows = [frames[epoch][:ROW] for epoch in epochs]
    names = [f"epoch {epoch}" for epoch in epochs]
    draw_rows(plots / "epochs.png", rows, names, "The same pictures over the training (first epoch: 0)")
    save_animation(plots / "training.gif", [frames[epoch] for epoch in sorted(frames)], 5)


def _draw_samples(path: Path, model: Any) -> None:
    rows = model.sampled(SAMPLES, 1).split(ROW)
    draw_rows(path, rows, [""] * len(rows), f"Samples, {len(rows) * ROW} draws of seed {model.seed}")


def _draw_reconstructions(path: Path, model: Any, pictures: Tensor) -> None:
    shown = pictures[: 2 * ROW]
    again = model.reconstructed(shown)
    rows = [part[start : start + ROW] for start in range(0, len(shown), ROW) for part in (shown, again)]
    draw_rows(path, rows, ["original", "drawn again"] * (len(rows) // 2), f"Reconstructions of {model.split} pictures")


def _draw_between_draws(path: Path, model: Any) -> None:
    ends = model.draws(2 * PAIRS, seeded(model.seed, 4, 1)).cpu()
    rows = [model.drawn(between(ends[2 * i], ends[2 * i + 1], way="slerp")) for i in range(PAIRS)]
    title = f"{STEPS} steps between two random points"
    draw_rows(path, rows, [""] * PAIRS, f"{title}, along the sphere")


def _draw_between_pictures(path: Path, model: Any, pictures: Tensor) -> None:
    """Both ways for some pairs, the given pictures at the ends."""
    ends, rows, names = model.latents(pictures[:PAIRS]), [], []
    for i in range(0, len(ends) - 1, 2):
        for way in ("lerp", "slerp"):
            drawn = model.drawn(between(ends[i], ends[i + 1], way=way))
            rows.append(torch.cat([pictures[i : i + 1], drawn, pictures[i + 1 : i + 2]]))
            names.append(way)
    if rows:
        ticks = ["given", *map(str, range(1, STEPS + 1)), "given"]
        title = f"{STEPS} steps between two {model.split} pictures, straight and along the sphere"
        draw_rows(path, rows, names, title, ticks=ticks)


def _draw_traversals(path: Path, model: Any, pictures: Tensor) -> None:
    """What single directions of the latent do, the ones that matter most first."""
    start, ways, spans, names = directions(model, pictures)
    steps = torch.linspace(-1, 1, STEPS)[:, None]
    rows = [model.drawn(start + steps * span * way) for way, span in zip(ways, spans, strict=True)]
    ticks = ["" if i not in (0, STEPS // 2, STEPS - 1) else f"{round(3 * s.item())} sd" for i, s in enumerate(steps)]
    draw_rows(path, rows, names, "Traversals of the latent", ticks=ticks)


def _draw_nearest(path: Path, model: Any, data: DataModule) -> None:
    """Samples above the training pictures that they are nearest to, by features and by pixels."""
    samples = model.sampled(COPIES, 1)
    real = model.real_features()
    train = data.arrays["train"][0]
    by_features = fidelity.nearest(model.features_of(samples), real)[1]
    flat = train.flatten(1)[: len(real)].float()
    by_pixels = fidelity.nearest(samples.flatten(1).float(), flat)[1]
    rows = [samples, train[by_features], train[by_pixels]]
    names = ["sample", "nearest by features", "nearest by pixels"]
    draw_rows(path, rows, names, f"Samples and the nearest of {len(real):,} training pictures")
