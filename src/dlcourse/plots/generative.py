"""Plots of a generative model: samples, snapshots of training, interpolations, and nearest training images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse.analysis import fidelity
from dlcourse.analysis.latents import STEPS, WAYS, directions
from dlcourse.data.batches import seeded
from dlcourse.data.module import DataModule
from dlcourse.plots.curves import draw_curves
from dlcourse.plots.mosaic import WAY_NAMES, draw_rows, save_animation

ROW = 16  # images of a row
SAMPLES = 8  # rows and columns of samples, which are shown larger
PAIRS = 3  # interpolated both ways
COPIES = 12  # samples whose nearest training images are shown


def draw(folder: Path, model: Any, data: DataModule) -> None:
    """Draw all plots of a `Generative` into `folder`/plots that the model supports.

    Args:
        folder: the run folder.
        model: tested, so that it knows the data.
        data: its `arrays` contain the images.
    """
    plots = folder / "plots"
    if (folder / "metrics.csv").exists():
        draw_curves(folder, *model.curves)
    own = model.resize_like(data.arrays[model.split][0])
    if model.frames:
        held_out = model.resize_like(data.arrays["val" if "val" in data.arrays else "train"][0])
        draw_training(plots, model.frames, model.shown_epochs, None if model.samples else held_out)
    if model.samples:
        _draw_samples(plots / "samples.png", model, own)
        _draw_between_draws(plots / "interpolation.png", model)
        _draw_nearest(plots / "nearest.png", model, data)
    if hasattr(model.net, "encoder"):
        _draw_reconstructions(plots / "reconstructions.png", model, own)
        _draw_between_pictures(plots / "interpolation_pictures.png", model, own)
    if model.conditional:
        _draw_conditions(plots / "conditions.png", model)
    if model.has_directions:
        _draw_traversals(plots / "traversals.png", model, own)


def chosen_epochs(epochs: list[int], wanted: Sequence[int] = ()) -> list[int]:
    """The requested epochs with a snapshot, counted from 0; by default the first, the middle and the last."""
    found = sorted(set(wanted) & set(epochs))
    return found or sorted({epochs[0], epochs[(len(epochs) - 1) // 2], epochs[-1]})


def draw_training(
    plots: Path, frames: dict[int, Tensor], shown: Sequence[int] = (), originals: Tensor | None = None
) -> None:
    """`epochs.png`, some snapshots of the same images, and `training.gif`, all snapshots.

    Args:
        plots: the folder.
        frames: pictures [N, ...] by epoch.
        shown: epochs of the first; empty: three.
        originals: what they are drawn after, as many or more; None: they are samples.
    """
    epochs = chosen_epochs(sorted(frames), shown)
    rows = [frames[epoch][:ROW] for epoch in epochs]
    names = [f"epoch {epoch + 1}" for epoch in epochs]
    if originals is not None:
        rows, names = [originals[: len(rows[0])], *rows], ["original", *names]
    draw_rows(plots / "epochs.png", rows, names, "The same images over the training")
    save_animation(plots / "training.gif", {f"epoch {epoch + 1}": frames[epoch] for epoch in sorted(frames)}, 5)


def _draw_samples(path: Path, model: Any, pictures: Tensor) -> None:
    """A square of samples and, below, two rows of real images."""
    rows = model.sampled(SAMPLES**2, 1).split(SAMPLES)
    real = [part for part in pictures[: 2 * SAMPLES].split(SAMPLES) if len(part) == SAMPLES]
    names = ["drawn"] + [""] * (SAMPLES - 1) + ["real", ""][: len(real)]
    draw_rows(path, [*rows, *real], names, f"Samples of seed {model.seed} above {model.split} images", cell=1.1)


def _draw_reconstructions(path: Path, model: Any, pictures: Tensor) -> None:
    shown = pictures[: 2 * ROW]
    again = model.reconstructed(shown)
    rows = [part[start : start + ROW] for start in range(0, len(shown), ROW) for part in (shown, again)]
    draw_rows(path, rows, ["original", "drawn again"] * (len(rows) // 2), f"Reconstructions of {model.split} images")


def _draw_between_draws(path: Path, model: Any) -> None:
    ends = model.sample_latents(2 * PAIRS, seeded(model.seed, 4, 1)).cpu()
    pairs = [(ends[2 * i], ends[2 * i + 1]) for i in range(PAIRS)]
    rows = [model.decode_images(model.between(*pair, way=way)) for pair in pairs for way in WAYS]
    names = [f"pair {i + 1}, {WAY_NAMES[way]}" for i in range(PAIRS) for way in WAYS]
    title = f"{STEPS} steps from sample A to sample B: between two random latents"
    draw_rows(path, rows, names, title, ticks=["A", *map(str, range(2, STEPS)), "B"])


def _draw_between_pictures(path: Path, model: Any, pictures: Tensor) -> None:
    """Both interpolations for some pairs, with the given images at the ends."""
    ends, rows, names = model.latents(pictures[: 2 * PAIRS]), [], []
    for i in range(0, len(ends) - 1, 2):
        for way in WAYS:
            drawn = model.decode_images(model.between(ends[i], ends[i + 1], way=way))
            rows.append(torch.cat([pictures[i : i + 1], drawn, pictures[i + 1 : i + 2]]))
            names.append(f"pair {i // 2 + 1}, {WAY_NAMES[way]}")
    if rows:
        ticks = ["image A", "A", *map(str, range(2, STEPS)), "B", "image B"]
        title = f"From image A to image B ({model.split} split): both reconstructed, {STEPS - 2} steps between them"
        draw_rows(path, rows, names, title, ticks=ticks)


def _draw_traversals(path: Path, model: Any, pictures: Tensor) -> None:
    """The effect of single latent directions, the most important first; nothing if there are none."""
    start, ways, spans, names = directions(model, pictures)
    if not names:
        return
    steps = torch.linspace(-1, 1, STEPS)[:, None]
    rows = [model.decode_images(start + steps * span * way) for way, span in zip(ways, spans, strict=True)]
    ticks = ["" if i not in (0, STEPS // 2, STEPS - 1) else f"{round(3 * s.item())} sd" for i, s in enumerate(steps)]
    draw_rows(path, rows, names, "Traversals of the latent", ticks=ticks)


def _draw_nearest(path: Path, model: Any, data: DataModule) -> None:
    """Samples above their nearest training images, by features and by pixels."""
    samples = model.sampled(COPIES, 1)
    real = model.real_features()
    train = data.arrays["train"][0]
    by_features = fidelity.nearest(model.features_of(samples), real)[1]
    rows = [samples, model.resize_like(train[by_features]), _nearest_by_pixels(model, samples, train)]
    names = ["sample", "nearest by features", "nearest by pixels"]
    title = f"Samples and the nearest of {len(real):,} (features) and {len(train):,} (pixels) training images"
    draw_rows(path, rows, names, title)


def _nearest_by_pixels(model: Any, samples: Tensor, train: Tensor, part: int = 2000) -> Tensor:
    """The training image or mirror image that is nearest to each sample.

    A part at a time is turned into floats.
    """
    flat, best, found = samples.flatten(1).float(), torch.full((len(samples),), torch.inf), samples.clone()
    for pictures in train.split(part):
        for seen in (model.resize_like(pictures), model.resize_like(pictures).flip(2)):
            distances, places = fidelity.nearest(flat, seen.flatten(1).float())
            nearer = distances < best
            best[nearer], found[nearer] = distances[nearer].to(best), seen[places[nearer]]
    return found


def _draw_conditions(path: Path, model: Any) -> None:
    """A row of samples for each value of the factor with the most values, from the same noise in each row."""
    categories = model.task.categories
    place = max(range(len(categories)), key=lambda i: categories[i])
    name, count = model.task.factors[place], max(2, categories[place])
    fixed, rows = model.fixed, []
    try:
        for value in range(count):
            model.fix_factors(fixed | {name: value})
            rows.append(model.decode_images(model.sample_latents(ROW, seeded(model.seed, 4, 1))))
    finally:
        model.fix_factors(fixed)
    names = [f"{name} {value}" for value in range(count)]
    draw_rows(path, rows, names, f"Samples of each value of {name}, from the same noise and other factors")
