"""Text tables, and the table at the end of a run."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcourse.runs.result import Result, earlier_results


def text_table(header: Sequence[str], rows: Sequence[Sequence[Any]], markdown: bool = False) -> str:
    """A table as plain text or Markdown; numbers with four significant digits."""
    cells = [[*map(str, header)], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if not markdown:
        return "\n".join(lines)
    lines = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in cells]
    return "\n".join([lines[0], f"|{'|'.join(' --- ' for _ in header)}|", *lines[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show(text: str) -> None:
    """Print a text; a terminal that was closed is not an error, because all results are in files."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


def result_table(result: Result, folder: Path) -> str:
    """Results against references and earlier results of a continued run, other test metrics, time, and the folder."""
    metrics = result.metrics
    rendered = result.rendered
    compared = {row["metric"] for row in result.references}
    earlier = earlier_results(folder)  # of a run that was continued

    def ours(name: str) -> list[float | None]:
        return [one.metrics.get(name) for one in (*earlier, result)]

    rows = [
        [name := row["metric"], *ours(name), row["value"], row["id"], verdict(metrics.get(name), row, rendered)]
        for row in result.references
    ]
    rows += [
        [name, *ours(name), None, "", ""]
        for name in metrics
        if name.startswith(("test/", "hard/")) and name not in compared
    ]
    columns = [f"{one.epochs} epochs" for one in (*earlier, result)] if earlier else ["ours"]
    seconds = result.seconds
    spent = ", ".join(f"{step} {value:.0f} s" for step, value in seconds.items())
    space = result.features
    spaces = [f"distances between images are computed in the feature space {space}"] if space else []
    size = f"{result.parameters:,} parameters, " if result.parameters is not None else ""
    lines = [
        "",
        text_table(["metric", *columns, "reported", "by", ""], rows),
        *spaces,
        "",
        f"{result.model} on {result.data}: {size}{result.epochs} epochs, {result.device} {result.precision}, {spent}",
        f"Results saved to {folder}",
    ]
    return "\n".join(lines)


def verdict(ours: float | None, reference: Mapping[str, Any], rendered: bool) -> str:
    """A result compared with a reported one: better, worse, the same, or a ratio where neither direction is better.

    Args:
        ours: the measured value; None gives an empty string.
        reference: `value`, and `better`: higher, lower, or same.
        rendered: whether it was measured on rendered images, which cannot be compared with the original ones.
    """
    if ours is None:
        return ""
    if rendered:
        return "measured on rendered images"
    if math.isclose(ours, reference["value"], rel_tol=1e-6):  # metrics are float32
        return "the same"
    if reference["better"] == "same":  # a random draw, where neither direction is better
        return f"{ours / reference['value']:.2f} times"
    ahead = ours < reference["value"] if reference["better"] == "lower" else ours > reference["value"]
    return "better" if ahead else "worse"
