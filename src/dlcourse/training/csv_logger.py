"""metrics.csv: one row per epoch, kept when a run is resumed."""

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from dlcourse.runs.files import read_rows, write_csv


class MetricsCSV(Logger):
    """Writes `metrics.csv` into the run folder; each write replaces the whole file, so the table is always complete.

    Lightning's CSVLogger deletes the file at the start; this one keeps the rows before the step it resumes from.
    """

    def __init__(self, save_dir: str | Path):
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self.rows: dict[int, dict[str, Any]] = {
            int(row["step"]): {k: v for k, v in row.items() if k and v}
            for row in read_rows(self.path)
            if (row.get("step") or "").isdecimal()
        }

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: they are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add metrics to the row of a step; rows of later steps, from before a resume, are removed."""
        step = step or 0
        self.rows = {s: row for s, row in self.rows.items() if s <= step}
        self.rows[step] = self.rows.get(step, {}) | {"step": step} | metrics

    @rank_zero_only
    def save(self) -> None:
        """Write all rows."""
        names = list(dict.fromkeys(["epoch", "step", *(name for row in self.rows.values() for name in row)]))
        write_csv(self.path, names, ([row.get(name) for name in names] for _, row in sorted(self.rows.items())))
