"""The report as a page and as a Markdown table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcourse.plots.images import Album, pictures_of
from dlcourse.plots.page import write_page
from dlcourse.reporting.collect import Found, Run
from dlcourse.reporting.entries import Entry, counts, entries, headline
from dlcourse.runs import metrics
from dlcourse.runs.files import write_text
from dlcourse.runs.table import counted, text_table

LATEST = 20  # runs in the printed table
MEGABYTES = 5  # of a page; above that its images are saved beside it


def write_report(found: Found, folder: Path, most: int = 4, width: int = 640) -> tuple[list[Entry], Path]:
    """`report.html` and `report.md`.

    Args:
        found: from `collect`.
        folder: that they go into; pictures too, where they would make the page larger than 5 MB.
        most: pictures of a run.
        width: of a picture, pixels.

    Returns:
        The entries, and the page.
    """
    rows = entries(found.runs)
    shown = {run.name: pictures_of(run.folder, most) for run in found.runs if run.folder is not None}
    sweeps = [_sweep(path) for path in found.sweeps]
    album = Album([p for paths in [*shown.values(), *(s["pictures"] for s in sweeps)] for p in paths], width)
    beside = folder / "pictures" if album.bytes > (MEGABYTES - 1) * 2**20 else None
    own_first = sorted(found.runs, key=lambda run: run.folder is None)
    page = write_page(
        folder, "report.html", "report.html",
        title="dlcourse report", entries=rows, counts=counts(rows), runs=[_run_row(run) for run in own_first],
        sweeps=sweeps, skipped=found.skipped, sources=album.sources(beside), shown=shown,
        areas=sorted({entry.id[0] for entry in rows}),
    )  # fmt: skip
    write_text(folder / "report.md", markdown(rows))
    return rows, page


def _run_row(run: Run) -> dict[str, Any]:
    known = headline(run)
    return {
        "run": run,
        "metric": known[0] if known else "",
        "value": known[1] if known else None,
        "kind": "debug" if run.trial else str(run.result.status),
        "held": ", ".join(str(row["id"]) for row in run.result.references),
    }


def _sweep(folder: Path) -> dict[str, Any]:
    """A sweep's table and its plots; a broken table counts as empty."""
    try:
        with (folder / "sweep.csv").open(encoding="utf8", newline="") as file:
            table = list(csv.reader(file))
    except (OSError, ValueError, csv.Error):
        table = []
    return {"folder": folder, "table": table, "pictures": sorted(folder.glob("*.png"))}


def markdown(rows: Sequence[Entry]) -> str:
    """The references as a Markdown table."""
    header = ["row", "what", "ours", "n", "reported", "difference", "", "time", "command"]
    table = [
        [
            entry.id if entry.first else "", _cell(entry.reference["what"]) if entry.first else "", entry.ours_text,
            len(entry.runs) or "", entry.theirs_text, entry.difference_text, entry.verdict,
            entry.time_text, f"`{_cell(entry.command)}`" if entry.command else "",
        ]
        for entry in rows
    ]  # fmt: skip
    return f"# Ours and reported\n\n{text_table(header, table, markdown=True)}\n"


def _cell(text: str) -> str:
    return text.replace("\n", " ")


def own_runs(runs: Sequence[Run]) -> str:
    """The runs in folders, the latest first, as a short table."""
    own = sorted((run for run in runs if run.folder is not None), key=lambda run: run.name, reverse=True)
    table = []
    for run in own[:LATEST]:
        known = headline(run)
        figure = f"{metrics.figure(*known)} {known[0]}" if known else run.result.status
        table.append([run.name, run.result.model, run.result.data, figure, metrics.duration(run.seconds)])
    text = text_table(["your runs", "model", "data", "figure", "time"], table)
    return text + (f"\n… {len(own) - LATEST} more on the page" if len(own) > LATEST else "")


def terminal(rows: Sequence[Entry]) -> str:
    """The references with runs, as a short table."""
    table = [[e.id, e.ours_text, len(e.runs), e.theirs_text, e.verdict] for e in rows if e.runs]
    return text_table(["row", "ours", "n", "reported", ""], table)


def summary(found: Found, rows: Sequence[Entry]) -> str:
    """One line with the number of runs, sweeps and references."""
    tally: Mapping[str, int] = counts(rows)
    with_run = tally["references"] - tally.get("not-run", 0)
    return (
        f"{counted(len(found.runs), 'run')}, {counted(len(found.sweeps), 'sweep')}, "
        f"{with_run} of {tally['references']} references with a run"
        + (f", {len(found.skipped)} folders or files skipped" if found.skipped else "")
    )
