"""One table row for each folder and experiment: the runs of a class side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dlcourse.errors import UserError
from dlcourse.reporting.collect import Run
from dlcourse.reporting.entries import headline
from dlcourse.runs import metrics
from dlcourse.runs.files import write_rows, write_text
from dlcourse.runs.table import text_table

HEADER = ("experiment", "folder", "runs", "figure", "metric", "time", "precision", "machine")
FILE = "by_folder"


class Row(NamedTuple):
    """The completed runs of one experiment in one folder."""

    experiment: str  # the preset, else model and data
    folder: str
    runs: list[Run]
    metric: str

    @property
    def spread(self) -> metrics.Spread:
        """Mean and standard deviation of the metric over all runs: never the best of them on the test split."""
        return metrics.spread([run.metrics[self.metric] for run in self.runs])

    def cells(self) -> list[object]:
        """The values under `HEADER`."""
        seconds = [run.seconds for run in self.runs if run.seconds is not None]
        kinds = (", ".join(sorted(set(found))) for found in (
            [str(run.result.precision or "") for run in self.runs], [run.machine for run in self.runs],
        ))  # fmt: skip
        time = metrics.duration(sum(seconds) / len(seconds)) if seconds else ""
        return [self.experiment, self.folder, len(self.runs), metrics.spread_text(self.metric, self.spread),
                self.metric, time, *kinds]  # fmt: skip


def groups(folders: Sequence[Path]) -> list[Path]:
    """The folders that are compared: those given, or the subfolders of a single one.

    Raises:
        UserError: a single folder without subfolders.
    """
    if len(folders) != 1:
        return list(folders)
    found = sorted(path for path in folders[0].iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise UserError(f"{folders[0]} does not contain subfolders to compare: copy each student's outputs/ into one")
    return found


def rows(runs: Sequence[Run], folders: Sequence[Path]) -> list[Row]:
    """Experiment by experiment, the folders in their order; runs with debug=fast and failed ones are left out."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        known = headline(run)
        here = [f for f in folders if run.folder is not None and run.folder.absolute().is_relative_to(f.absolute())]
        if known and here and run.result.status == "completed" and not run.trial:
            name = run.result.experiment or f"{run.result.model} on {run.result.data}"
            found.setdefault((name, known[0], str(here[0])), []).append(run)
    place = {str(folder): number for number, folder in enumerate(folders)}
    ordered = sorted(found.items(), key=lambda item: (*item[0][:2], place[item[0][2]]))
    alike = len({folder.name for folder in folders}) < len(folders)  # such as anna/outputs and ben/outputs
    return [
        Row(name, folder if alike else Path(folder).name, group, metric) for (name, metric, folder), group in ordered
    ]


def write_table(found: Sequence[Row], folder: Path) -> str:
    """Write by_folder.md and by_folder.csv.

    Returns:
        The table as plain text, with the spread over the folders under each experiment that several have.
    """
    table = [row.cells() for row in found]
    write_text(folder / f"{FILE}.md", f"# By folder\n\n{text_table(HEADER, table, markdown=True)}\n")
    figures = [
        [*cells[:3], row.spread.mean, row.spread.sd, *cells[4:]] for row, cells in zip(found, table, strict=True)
    ]
    write_rows(folder / f"{FILE}.csv", [["experiment", "folder", "runs", "mean", "sd", *HEADER[4:]], *figures])
    lines = [text_table(HEADER, table)]
    for name, metric in dict.fromkeys((row.experiment, row.metric) for row in found):
        means = [row.spread.mean for row in found if (row.experiment, row.metric) == (name, metric)]
        if len(means) > 1:
            lines.append(f"{name}: {metrics.spread_text(metric, metrics.spread(means))} over {len(means)} folders")
    return "\n".join(lines)
