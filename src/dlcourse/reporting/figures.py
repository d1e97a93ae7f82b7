"""Figures as a person reads them: shares in %, minutes, counts, times."""

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

SHARES = ("accuracy", "accuracy_tta", "solved", "exact", "within_one_minute", "within_five_minutes")
LOWER = (
    "loss",
    "error",
    "iterations",
    "tries",
    "ece",
    "distance",
    "perplexity",
)  # in the name of a metric: less is better


class Spread(NamedTuple):
    """The mean of a figure over several runs, and its sample standard deviation, None of one run."""

    mean: float
    sd: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else None, len(values))


def is_share(metric: str) -> bool:
    """Whether a metric is a share of 1, told in %."""
    name = metric.rpartition("/")[2]
    return name in SHARES or name.endswith(("_accuracy", "precision", "recall"))


def unit(metric: str) -> str:
    """What a metric is told in, as it follows the number: ` %`, ` min` or nothing."""
    return " %" if is_share(metric) else " min" if "minutes" in metric and "within" not in metric else ""


def number(metric: str, value: float, signed: bool = False) -> str:
    """A metric's value without its unit: `99.47` of accuracy, `0.58` and `181.6` of minutes, `7,899` of iterations."""
    if is_share(metric):
        value, digits = 100 * value, 2
    elif unit(metric):
        digits = 2 if abs(value) < 10 else 1
    elif float(value).is_integer() or abs(value) >= 1000:
        digits = 0
    else:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if abs(value) > 1e-4 else 4
    sign = "+" if signed else ""
    return f"{value:{sign},.{digits}f}".replace("-", "−" if signed else "-")


def figure(metric: str, value: float | None) -> str:
    """A metric's value with its unit, a dash where there is none."""
    return "–" if value is None else number(metric, value) + unit(metric)


def reported(metric: str, value: float) -> str:
    """Somebody else's figure, with the digits that they gave."""
    return f"{value:,.10g} min" if unit(metric) == " min" else figure(metric, value)


def spread_text(metric: str, found: Spread, told_in: str | None = None) -> str:
    """`99.47 ± 0.03 %`, or `99.47 %` of one run and of runs that agree.

    Args:
        metric: its name.
        found: mean and standard deviation, which is told with the mean's digits.
        told_in: what follows the number, where it is not the metric's unit.
    """
    mean = number(metric, found.mean)
    digits, factor = len(mean.partition(".")[2]), 100 if is_share(metric) else 1
    spread = f" ± {factor * found.sd:,.{digits}f}" if found.sd else ""
    return f"{mean}{spread}{unit(metric) if told_in is None else told_in}"


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
