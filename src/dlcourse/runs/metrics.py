"""Figures as a person reads them: shares in %, minutes, counts, times."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from statistics import mean, stdev
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """What is known of a metric: how its value is written, and which direction is better."""

    unit: str  # "%" for a share of 1, "min" for minutes, "" for a plain number
    better: str | None  # "higher", "lower", or None where neither is


# The one table of metrics. The first pattern that matches the name behind `<split>/` counts.
TABLE: dict[str, Metric] = {
    "accuracy_sd": Metric("%", None),
    "real_accuracy": Metric("%", None),  # of a GAN's discriminator
    "drawn_accuracy": Metric("%", None),
    "*accuracy*": Metric("%", "higher"),
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
    """The entry of the table for `<split>/<name>`; a plain number without a direction where there is none."""
    short = name.rpartition("/")[2]
    return next((found for pattern, found in TABLE.items() if fnmatchcase(short, pattern)), Metric("", None))


class Spread(NamedTuple):
    """The mean of a figure over several runs, and its sample standard deviation, None of one run."""

    mean: float
    sd: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else None, len(values))


def is_share(name: str) -> bool:
    """Whether a metric is a share of 1, written in %."""
    return metric(name).unit == "%"


def unit(name: str) -> str:
    """The unit of a metric as it follows the number: ` %`, ` min` or nothing."""
    found = metric(name).unit
    return f" {found}" if found else ""


def number(name: str, value: float, signed: bool = False) -> str:
    """A metric's value without its unit: `99.47` of accuracy, `0.58` and `181.6` of minutes, `7,899` of iterations."""
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
    """A metric's value with its unit, a dash where there is none."""
    return "–" if value is None else number(name, value) + unit(name)


def reported(name: str, value: float) -> str:
    """Somebody else's figure, with the digits that they gave."""
    return f"{value:,.10g} min" if unit(name) == " min" else figure(name, value)


def spread_text(name: str, found: Spread, told_in: str | None = None) -> str:
    """`99.47 ± 0.03 %`, or `99.47 %` of one run and of runs that agree.

    Args:
        name: of the metric.
        found: mean and standard deviation, which is told with the mean's digits.
        told_in: what follows the number, where it is not the metric's unit.
    """
    mean = number(name, found.mean)
    digits, factor = len(mean.partition(".")[2]), 100 if is_share(name) else 1
    spread = f" ± {factor * found.sd:,.{digits}f}" if found.sd else ""
    return f"{mean}{spread}{unit(name) if told_in is None else told_in}"


def duration(seconds: float | None) -> str:
    """`0.3 s`, `18 s`, `8:35 min`, `2:05 h`."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def finite(value: Any) -> float | None:
    """The value where it is a number that can be compared, else None."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def lower_is_better(name: str) -> bool | None:
    """Whether a lower value of a metric is better; None where neither direction is."""
    better = metric(name).better
    return None if better is None else better == "lower"


def leading_metric(metrics: Iterable[str], references: Iterable[Mapping[str, Any]]) -> str | None:
    """The one of the metrics that a result is known by, None where there are none.

    What it is held against, else what it was tested on first, else what it was validated on; before others how near
    drawn pictures come to real ones.
    """
    metrics = list(metrics)
    held = [name for row in references if (name := row.get("metric")) in metrics]
    told = [name for name in metrics if not name.endswith("/loss")]
    drawn = [name for name in told if name.endswith("/frechet_distance")]
    ordered = [name for split in ("test/", "val/") for name in [*drawn, *told] if name.startswith(split)]
    return next(iter([*held, *ordered, *told, *metrics]), None)
