"""metrics.csv: one row an epoch, kept when a run goes on."""

import csv
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from dlcourse.runs.files import write_text


class MetricsCSV(Logger):
    """Writes `metrics.csv` into the run folder, whole and renamed at each row, so that it is never half a table.

    Lightning's CSVLogger deletes the file when it starts; this one keeps the rows before the step it goes on from.
    """

    def __init__(self, save_dir: str | Path):
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self.rows: dict[int, dict[str, Any]] = {}
        if self.path.exists():
            with self.path.open(encoding="utf8", newline="") as file:
                self.rows = {
                    int(row["step"]): {k: v for k, v in row.items() if v != ""} for row in csv.DictReader(file)
                }

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add figures to the row of a step; a step reached again after a resume replaces what came after it."""
        step = step or 0
        self.rows = {s: row for s, row in self.rows.items() if s <= step}
        self.rows[step] = self.rows.get(step, {}) | {"step": step} | metrics

    @rank_zero_only
    def save(self) -> None:
        """Write all rows."""
        names = list(dict.fromkeys(["epoch", "step", *(name for row in self.rows.values() for name in row)]))
        lines = [",".join(names)]
        lines += [",".join(_cell(row.get(name, "")) for name in names) for _, row in sorted(self.rows.items())]
        write_text(self.path, "\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
