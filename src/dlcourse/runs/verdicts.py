"""Compares a result with a reported one: better, worse, the same, or why the two are not comparable."""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from dlcourse.runs.keys import IDENTITY, NUMERICS, kind
from dlcourse.runs.metrics import is_share
from dlcourse.runs.reference_commands import command, settings

NOISE, NOT_COMPARABLE, RENDERED, SAME = "within noise", "not comparable", "measured on rendered images", "the same"
SHARE_DIGITS = 3  # a share reported as 0.9 means 90.0 %: YAML drops the zeros
CHOICES = ("experiment", "model", "data")  # which row a run belongs to; all other words are settings


def verdict(
    ours: float | None,
    reference: Mapping[str, Any],
    rendered: bool = False,
    sd: float | None = None,
    changed: Sequence[str] = (),
) -> str:
    """A result compared with a reported one, at the precision that was reported.

    Args:
        ours: the measured value; None gives an empty string.
        reference: `metric`, `value`, and `better`: higher, lower, or same.
        rendered: whether it was measured on rendered images, which cannot be compared with the original ones.
        sd: standard deviation over our seeds; a difference within it is noise.
        changed: overrides that the reported run did not have, see `other_settings`.

    Returns:
        better, worse, the same, within noise, not comparable, or a ratio where neither direction is better.
    """
    if ours is None:
        return ""
    if rendered:
        return RENDERED
    if changed:
        return NOT_COMPARABLE
    value = reference["value"]
    digits = _digits(reference)
    if abs(round(ours, digits + 1) - value) < 0.5001 * 10**-digits:  # 0.797 stands for 0.7965 to 0.7975
        return SAME
    if reference["better"] == "same":  # a random draw, where neither direction is better
        return f"{ours / value:.2f} times"
    if sd and abs(ours - value) <= sd:
        return NOISE
    ahead = ours < value if reference["better"] == "lower" else ours > value
    return "better" if ahead else "worse"


def _digits(reference: Mapping[str, Any]) -> int:
    """Decimal places of the reported value: 3 of 0.797, 2 of 11.71, 0 of 7899."""
    value = reference["value"]
    if not math.isfinite(value):
        return 0
    places = -int(Decimal(repr(value)).normalize().as_tuple().exponent)
    return max(places, SHARE_DIGITS if is_share(str(reference.get("metric"))) else 0)


def other_settings(overrides: Iterable[str], reference: str) -> list[str]:
    """The words of a command that make it another experiment than the reported one, such as trainer.max_epochs=1.

    Empty where the command names the reference itself (`references=[ID]`): then the comparison was asked for.

    Args:
        overrides: of the command line.
        reference: the id of the row.
    """
    words = [str(word) for word in overrides]
    keys = [word.partition("=")[0].lstrip("+~") for word in words]
    if "references" in keys:
        return []
    first = "experiment" if "experiment" in keys else "model"  # model=NAME beside a preset changes it
    known = set((command(reference) or "").split(" ")) | settings(reference) | {"debug=null"}
    return [
        word
        for key, word in zip(keys, words, strict=True)
        if kind(key) == IDENTITY
        and word not in known
        and key not in NUMERICS
        and not (key in CHOICES and (first == "model" or key == "experiment"))
    ]
