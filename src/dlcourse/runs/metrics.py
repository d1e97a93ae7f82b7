"""Metrics: units, directions, and how values are formatted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from statistics import mean, stdev
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """The unit of a metric and the direction that is better."""

    unit: str  # "%" for a fraction shown in percent, "min" for minutes, "" for a plain number
    better: str | None  # "higher", "lower", or None if neither is better


# The first pattern that matches the name after `<split>/` applies.
TABLE: dict[str, Metric] = {
    "accuracy_sd": Metric("%", None),
    "real_accuracy": Metric("%", None),  # of a GAN's discriminator
    "drawn_accuracy": Metric("%", None),
    "*accuracy*": Metric("%", "higher"),
    "*judge_sure": Metric("%", "higher"),
    "*est_class": Metric("%", None),
    "solved": Metric("%", "higher"),
    "exact": Metric("%", "higher"),
    "within_*": Metric("%", "higher"),
    "*precision": Metric("%", "higher"),
    "*recall": Metric("%", "higher"),
    "*minutes*": Metric("min", "lower"),
    "trustworthiness": Metric("", "higher"),
    "factors_r2": Metric("", "higher"),
    "elbo": Metric("", "higher"),
    "tries_per_second": Metric("", "higher"),
    "tries_sd": Metric("", None),
    "*loss": Metric("", "lower"),
    "*error*": Metric("", "lower"),
    "*distance": Metric("", "lower"),
    "*kid": Metric("", "lower"),
    "*rmse": Metric("", "lower"),
    "*ece": Metric("", "lower"),
    "bits_per_pixel": Metric("", "lower"),
    "iterations*": Metric("", "lower"),
    "passes": Metric("", "lower"),
    "tries": Metric("", "lower"),
    "*seconds": Metric("", "lower"),
    "*entropy": Metric("", "lower"),
    "*divergence": Metric("", "lower"),
    "*perplexity": Metric("", "lower"),
}


def metric(name: str) -> Metric:
    """The table entry of `<split>/<name>`; without one, a plain number without a direction."""
    short = name.rpartition("/")[2]
    return next((found for pattern, found in TABLE.items() if fnmatchcase(short, pattern)), Metric("", None))


class Spread(NamedTuple):
    """Mean and sample standard deviation of a metric over several runs; the deviation of one run is None."""

    mean: float
    sd: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of at least one value."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else None, len(values))


def is_share(name: str) -> bool:
    """Whether a metric is a fraction, shown in %."""
    return metric(name).unit == "%"


def unit(name: str) -> str:
    """The unit of a metric as a suffix: ` %`, ` min` or empty."""
    found = metric(name).unit
    return f" {found}" if found else ""


def number(name: str, value: float, signed: bool = False) -> str:
    """A metric's value without the unit: `99.47` (accuracy), `0.58` and `181.6` (minutes), `7,899` (iterations)."""
    if is_share(name):
        value, digits = 100 * value, 2
    elif unit(name):
        digits = 2 if abs(value) < 10 else 1
    elif float(value).is_integer() or abs(value) >= 1000:
        digits = 0
    else:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if abs(value) > 1e-4 else 4
    sign = "+" if signed else ""
    return f"{value:{sign},.{digits}f}".replace("-", "−" if signed else "-")


def figure(name: str, value: float | None) -> str:
    """A metric's value with its unit, or a dash for None."""
    return "–" if value is None else number(name, value) + unit(name)


def reported(name: str, value: float) -> str:
    """A published value with its published digits."""
    return f"{value:,.10g} min" if unit(name) == " min" else figure(name, value)


def spread_text(name: str, found: Spread) -> str:
    """`99.47 ± 0.03 %`, or `99.47 %` for one run and for equal values.

    Args:
        name: of the metric.
        found: mean and standard deviation, which is printed with the digits of the mean.
    """
    mean = number(name, found.mean)
    digits, factor = len(mean.partition(".")[2]), 100 if is_share(name) else 1
    spread = f" ± {factor * found.sd:,.{digits}f}" if found.sd else ""
    return f"{mean}{spread}{unit(name)}"


def duration(seconds: float | None) -> str:
    """`0.3 s`, `18 s`, `8:35 min`, `2:05 h`."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def finite(value: Any) -> float | None:
    """The value as a float if it is a finite number, else None."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def lower_is_better(name: str) -> bool | None:
    """Whether a lower value of a metric is better; None if neither direction is."""
    better = metric(name).better
    return None if better is None else better == "lower"


def leading_metric(metrics: Iterable[str], references: Iterable[Mapping[str, Any]]) -> str | None:
    """The main metric of a result, None if the result does not contain any.

    The metric of a reference, else the first test metric, else the first validation metric; first of all the Frechet
    distance of generative models and the share of starts that solve a task.
    """
    metrics = list(metrics)
    compared = [name for row in references if (name := row.get("metric")) in metrics]
    others = [name for name in metrics if not name.endswith("/loss")]
    first = [name for name in others if name.endswith(("/frechet_distance", "/solved"))]
    ordered = [name for split in ("test/", "val/") for name in [*first, *others] if name.startswith(split)]
    return next(iter([*compared, *ordered, *others, *metrics]), None)
