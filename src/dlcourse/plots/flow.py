"""Plots of a flow: steps against distance, the way from noise to an image, filled-in images."""

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from dlcourse.analysis import fidelity
from dlcourse.analysis.masks import hidden_part
from dlcourse.data.batches import seeded
from dlcourse.data.module import DataModule
from dlcourse.models.ode import SOLVERS
from dlcourse.plots.curves import TEST, TRAIN, VALIDATION, save
from dlcourse.plots.mosaic import draw_rows
from dlcourse.runs.files import write_csv

STEPS = {"euler": (2, 4, 8, 16, 32), "heun": (1, 2, 4, 8, 16)}
COMPARED = 200  # samples of each distance: a plot of trends, not a score
COLUMNS = 10
HALVES = ("right", "bottom", "middle")


def draw(folder: Path, model: Any, data: DataModule) -> None:
    """`steps.png` with its numbers, `path.png` and `inpainting.png`."""
    plots = folder / "plots"
    _draw_steps(plots, model, data)
    _draw_path(plots / "path.png", model)
    _draw_inpainting(plots / "inpainting.png", model, data)


def _draw_steps(plots: Path, model: Any, data: DataModule) -> None:
    """Frechet distance by the evaluations of the net for an image, for both solvers, from the same noise."""
    real = model.real_features()
    own = data.arrays[model.split][0][: min(COMPARED, len(real))]  # debug=fast compares fewer images
    known, z = fidelity.gaussian(real), model.sample_latents(len(own), seeded(model.seed, 4, 1))
    floor = fidelity.frechet_distance(fidelity.gaussian(model.features_of(own)), known)
    before, rows = (model.steps, model.solver), []
    try:
        for model.solver in SOLVERS:
            for steps in STEPS[model.solver]:
                model.steps = steps
                # of the net for an image; the last step of Heun is one of Euler
                evaluations = 2 * steps - 1 if model.solver == "heun" else steps
                features = model.features_of(model.decode_images(z))
                distance = fidelity.frechet_distance(fidelity.gaussian(features), known)
                rows.append((model.solver, evaluations, distance))
    finally:
        model.steps, model.solver = before
    write_csv(plots / "steps.csv", ["solver", "evaluations", "frechet_distance"], [*rows, ("real", 0, floor)])
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    for solver, colour, marker in zip(SOLVERS, (TRAIN, VALIDATION), "os", strict=True):
        points = [row[1:] for row in rows if row[0] == solver]
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=solver)
    axes.axhline(floor, color=TEST, linestyle=":", label=f"{model.split} images")
    axes.set(xscale="log", yscale="log", xlabel="evaluations of the net for an image")
    axes.set_ylabel(f"Frechet distance of {len(own)} samples")
    axes.set_xticks([1, *STEPS["euler"]])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # one power of ten is too few labels
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, plots / "steps.png")


def _draw_path(path: Path, model: Any) -> None:
    """The points of some paths at five times."""
    z, rows, names = model.sample_latents(COLUMNS, seeded(model.seed, 4, 1)), [], []
    noise, condition = model.start(z)
    wanted = {round(model.steps * i / 4) for i in range(1, 5)}

    def keep(x: torch.Tensor, time: float) -> torch.Tensor:
        if round(time * model.steps) in wanted:
            rows.append(model.to_uint8(x))
            names.append(f"time {time:.2f}")
        return x

    with torch.no_grad():
        rows.append(model.to_uint8(noise))
        names.append("time 0.00")
        model.integrate(noise, condition, after_step=keep)
    draw_rows(path, rows, names, "From noise to images")


def _draw_inpainting(path: Path, model: Any, data: DataModule) -> None:
    """Images of the split, what the model sees of them, and two ways in which it fills the hidden part."""
    images = model.resize_like(data.arrays[model.split][0])[:COLUMNS]
    height, width = images.shape[1:3]
    rows, names = [images], ["image"]
    for part in HALVES:
        mask = hidden_part(part, height, width)
        seen = images.clone()
        seen[:, mask] = 128
        draws = [model.sample_latents(len(images), seeded(model.seed, 8, i)) for i in range(2)]
        for z in draws:
            z[:, model.noise_length :] = 0  # the factors of the image are unknown
        rows += [seen, *(model.inpaint(images, mask, z) for z in draws)]
        names += [f"{part} hidden", "drawn", "drawn again"]
    draw_rows(path, rows, names, f"{model.split.capitalize()} images with a hidden part, filled in")
