"""How a clock reader's error depends on the scene: curves over its parameters, the hard subset, and calibration.

Each curve uses its own images, drawn from the data set's ranges except for one factor, which is spread evenly over a
range wider than that of the training.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dlcourse.analysis.classification import Bin as Calibrated
from dlcourse.analysis.classification import calibration_bins, calibration_error
from dlcourse.clocks.encodings import MINUTES, circular_error, confidence, minutes_of, time_labels
from dlcourse.clocks.scene import draw_scenes
from dlcourse.data.batches import mix, seeded
from dlcourse.data.clocks import Clocks
from dlcourse.data.module import DataModule
from dlcourse.errors import UserError
from dlcourse.runs.files import write_csv

PER_CURVE = 2 * MINUTES  # images of a curve, each time of the dial equally often
BINS = 8
BATCH = 120


class Factor(NamedTuple):
    """A factor of the renderer, the range of its curve (wider than in training), and its label."""

    name: str
    range: tuple[float, float]
    label: str


WALL_CLOCK = (
    Factor("reflection_strength", (0.0, 3.0), "reflection strength, share of white"),
    Factor("tilt", (0.0, 60.0), "tilt, degrees"),
    Factor("zoom", (0.2, 0.65), "zoom, dial radius / side of the image"),
    Factor("azimuth", (0.0, 360.0), "rotation, degrees clockwise of the 12"),
    Factor("blur", (-0.1, 1 / 3), "blur, weight of each neighbour"),
    Factor("noise", (0.0, 40.0), "noise, grey levels either way"),
)
# By the kind of scene, as `data/scene` chooses it.
FACTORS: Mapping[str, tuple[Factor, ...]] = {
    "free": WALL_CLOCK,
    "course": WALL_CLOCK,
    "any": (
        Factor("glare", (0.0, 1.0), "reflection in the glass, share of white"),
        Factor("tilt", (0.0, 64.0), "tilt, degrees"),
        Factor("zoom", (0.1, 0.6), "zoom, dial radius / side of the image"),
        Factor("free_turn", (-180.0, 180.0), "rotation, degrees clockwise of the 12"),
        Factor("blur", (0.0, 3.0), "blur, pixels of 128"),
        Factor("noise", (0.0, 0.15), "noise, three standard deviations / white"),
    ),
}
# The glass reflects a lamp of the brightest third that is trained on, and the dial's 12 points down, within 45 degrees.
HARD: Mapping[str, Mapping[str, Any]] = {
    "course": {"azimuth": (135.0, 225.0)},  # where the lamp is not seen in the glass
    "free": {"azimuth": (135.0, 225.0), "reflection_probability": 1.0, "reflection_strength": (1.6, 2.2)},
    "any": {"free_turn": (135.0, 225.0), "free_turn_probability": 1.0, "glare": (0.5, 0.75), "glare_probability": 1.0},
}


class Bin(NamedTuple):
    """Predictions with about the same value of a factor; errors in minutes, NaN for an empty bin."""

    factor: str
    low: float
    high: float
    count: int
    error_minutes: float
    standard_error: float
    error_minutes_median: float
    within_one_minute: float
    trained: bool  # whether the middle lies within the data set's own range


class Risk(NamedTuple):
    """The most confident predictions, a share of all, and their errors."""

    coverage: float
    confidence: float  # of the least sure of them
    error_minutes: float
    within_one_minute: float


def needs_scenes(data: DataModule, asked: str) -> Clocks:
    """The data set, if its images have hidden parameters.

    Raises:
        UserError: the parameters of the images are unknown.
    """
    if not isinstance(data, Clocks):
        raise UserError(f"{asked} needs rendered images with known scene parameters: add data=clocks")
    return data


def draw_clocks(data: Clocks, count: int, draw: int, **changes: Any) -> tuple[Tensor, Tensor, Tensor]:
    """New images from a data set's ranges, with some ranges changed.

    Args:
        data: the data set that provides ranges, size and seed.
        count: number of images; all times are about equally frequent.
        draw: index of the draw; another index gives other images.
        changes: changed ranges by name.

    Returns:
        Images uint8 [N, S, S] or [N, S, S, 3], times in minutes [N], and the factors [N, F] in the order of
        `data.ranges.factors()`.
    """
    minutes = torch.arange(count) % MINUTES
    minutes = minutes[torch.randperm(count, generator=seeded(data.scene_seed, 7, draw))]
    scene = draw_scenes(minutes, mix(data.scene_seed, 8, draw), replace(data.ranges, **changes))
    return data.render(scene), minutes, scene.factors


def hard_clocks(data: Clocks, count: int) -> tuple[Tensor, Tensor]:
    """Images and times of the hard subset, bright reflection and upside down, as its authors named theirs."""
    return draw_clocks(data, count, 0, **HARD[data.kind])[:2]


def read_clocks(model: Any, images: Tensor, minutes: Tensor) -> dict[str, Tensor]:
    """A model's predictions for images [N, S, S] that show times [N], as `compute_metrics` takes them."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [model.predictions(model(part.to(device)).float()) for part in images.split(BATCH)]
    found = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
    return found | {"labels": time_labels(minutes)}


def binned(
    factor: str, values: Tensor, error: Tensor, span: tuple[float, float], own: tuple[float, float]
) -> list[Bin]:
    """The errors in bins of equal width of a factor.

    Args:
        factor: name of the factor.
        values: values of the factor [N].
        error: errors in minutes [N].
        span: start of the first bin and end of the last one.
        own: the data set's range of the factor.
    """
    edges = torch.linspace(*span, BINS + 1)
    place = (torch.bucketize(values, edges, right=True) - 1).clamp(0, BINS - 1)
    found = []
    for number in range(BINS):
        low, high = edges[number].item(), edges[number + 1].item()
        part = error[place == number].double()
        spread = part.std().item() / len(part) ** 0.5 if len(part) > 1 else math.nan
        median = part.quantile(0.5).item() if len(part) else math.nan
        near = (part < 1.5).double().mean().item()
        trained = own[0] <= (low + high) / 2 <= own[1]
        found.append(Bin(factor, low, high, len(part), part.mean().item(), spread, median, near, trained))
    return found


def curves(model: Any, data: Clocks) -> list[Bin]:
    """The error over each of the kind's `FACTORS`, in bins."""
    found = []
    for number, factor in enumerate(FACTORS[data.kind], start=1):
        changes: dict[str, Any] = {factor.name: factor.range}
        own = getattr(data.ranges, factor.name)
        if factor.name == "reflection_strength":  # the first bin contains the images without haze
            changes = {factor.name: (own[0], factor.range[1]), "reflection_probability": 1 - 1 / BINS}
            own = (0.0, own[1])
        elif hasattr(data.ranges, f"{factor.name}_probability"):
            changes[f"{factor.name}_probability"] = 1.0
        images, minutes, factors = draw_clocks(data, PER_CURVE, number, **changes)
        error = circular_error(read_clocks(model, images, minutes)["minutes"], minutes)
        values = factors[:, data.ranges.columns()[factor.name]].contiguous()
        found += binned(factor.name, values, error, factor.range, own)
    return found


def risks(sure: Tensor, error: Tensor, steps: int = 50) -> list[Risk]:
    """Risk and coverage: the error among the most confident predictions, from a small share of them to all.

    Args:
        sure: confidence [N].
        error: errors in minutes [N].
        steps: number of shares.
    """
    order = sure.argsort(descending=True, stable=True)
    sure, error = sure[order], error[order].double()
    counts = sorted({max(1, round(len(error) * step / steps)) for step in range(1, steps + 1)})
    near = (error < 1.5).double()
    return [Risk(n / len(error), sure[n - 1].item(), error[:n].mean().item(), near[:n].mean().item()) for n in counts]


class Examined(NamedTuple):
    """Results of `examine`, from which tables and plots are made."""

    metrics: dict[str, float]
    curves: list[Bin]
    hard: tuple[Tensor, Tensor, Tensor]  # images, the answers in minutes [N], the times that they show [N]
    calibration: list[Calibrated]  # empty, like the risks, for an encoding without a distribution
    risks: list[Risk]
    kind: str = "free"  # of the scenes


def examine(model: Any, data: Clocks) -> Examined:
    """All results of this module for a tested model.

    Args:
        model: a model whose `last_predictions` are those of the test split.
        data: the data set that it was tested on.

    Returns:
        The results; metrics are `hard/*`, and if the encoding has a distribution `test/calibration_error` and the
        errors among the most confident half and nine tenths of the test predictions.
    """
    rows = curves(model, data)
    images, minutes = hard_clocks(data, MINUTES)
    answers = read_clocks(model, images, minutes)
    metrics = {f"hard/{name}": value for name, value in model.compute_metrics(answers).items()}
    hard = images, answers["minutes"], minutes
    if "probabilities" not in model.last_predictions:
        return Examined(metrics, rows, hard, [], [], data.kind)
    truth = minutes_of(model.last_predictions["labels"])
    error = circular_error(model.last_predictions["minutes"], truth)
    sure = confidence(model.last_predictions["probabilities"], model.last_predictions["minutes"])[0]
    found = risks(sure, error)
    metrics["test/calibration_error"] = calibration_error(sure, error < 1.5)
    for name, share in (("surest_half", 0.5), ("surest_nine_tenths", 0.9)):
        metrics[f"test/error_minutes_{name}"] = next(r.error_minutes for r in found if r.coverage >= share - 1e-9)
    return Examined(metrics, rows, hard, calibration_bins(sure, error < 1.5), found, data.kind)


def write_tables(folder: Path, examined: Examined) -> None:
    """robustness.csv, and where there are risks risk_coverage.csv."""
    write_csv(folder / "robustness.csv", Bin._fields, examined.curves)
    if examined.risks:
        write_csv(folder / "risk_coverage.csv", Risk._fields, examined.risks)
