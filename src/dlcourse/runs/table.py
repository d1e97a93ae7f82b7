"""Text tables, and the table at the end of a run."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcourse.runs.result import Result, earlier_results
from dlcourse.runs.verdicts import NOT_COMPARABLE, other_settings, verdict


def text_table(header: Sequence[str], rows: Sequence[Sequence[Any]], markdown: bool = False) -> str:
    """A table as plain text or Markdown; numbers with four significant digits."""
    cells = [[*map(str, header)], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if not markdown:
        return "\n".join(lines)
    lines = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in cells]
    return "\n".join([lines[0], f"|{'|'.join(' --- ' for _ in header)}|", *lines[1:]])


def counted(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


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

    rows, changed = [], {}
    for row in result.references:
        name, settings = row["metric"], other_settings(result.overrides, row["id"])
        said = verdict(metrics.get(name), row, rendered, changed=settings)
        rows.append([name, *ours(name), row["value"], row["id"], said])
        changed |= dict.fromkeys(settings if said == NOT_COMPARABLE else [])
    rows += [
        [name, *ours(name), None, "", ""]
        for name in metrics
        if name.startswith(("test/", "hard/")) and name not in compared
    ]
    epochs = counted(result.epochs or 0, "epoch")
    columns = [f"{one.epochs} epochs" for one in (*earlier, result)] if earlier else ["ours"]
    seconds = result.seconds
    spent = ", ".join(f"{step} {value:.0f} s" for step, value in seconds.items())
    space = result.features
    notes = [f"distances between images are computed in the feature space {space}"] if space else []
    if changed:
        notes.append(f"not comparable: other settings than the reported run ({' '.join(changed)})")
    size = f"{result.parameters:,} parameters, " if result.parameters is not None else ""
    lines = [
        "",
        text_table(["metric", *columns, "reported", "by", ""], rows),
        *notes,
        "",
        f"{result.model} on {result.data}: {size}{epochs}, {result.device} {result.precision}, {spent}",
        f"Results saved to {folder}",
    ]
    return "\n".join(lines)
