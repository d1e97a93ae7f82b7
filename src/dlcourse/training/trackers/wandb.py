"""Weights & Biases as a tracker."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.runs.result import Result
from dlcourse.training.trackers.base import Tracker, sweep_folder


class Wandb(Tracker):
    """Weights & Biases: parameters, metrics, plots, checkpoint; the jobs of a sweep form a group.

    Args:
        save_dir, patience: see `Tracker`.
        project: name of the project.
        mode: `offline` writes into the run folder, for a later `wandb sync`; `online` requires WANDB_API_KEY.
        checkpoint: whether to log best.ckpt.
        timeout: of the start, in seconds.
    """

    package = "wandb"

    def __init__(
        self,
        save_dir: str | Path,
        project: str = "dlcourse",
        mode: str = "offline",
        checkpoint: bool = True,
        timeout: int = 20,
        patience: float = 60.0,
    ):
        super().__init__(save_dir, patience)
        if mode not in ("offline", "online"):
            raise UserError(f"unknown logger.wandb.mode={mode}: use offline or online")
        self.project, self.mode, self.checkpoint, self.timeout = project, mode, checkpoint, timeout
        self.sweep = sweep_folder()
        self.run: Any = None

    def begin(self, parameters: dict[str, str]) -> None:
        """Start a run without prompts on the terminal."""
        os.environ.setdefault("WANDB_SILENT", "true")
        wandb: Any = import_module("wandb")
        if self.mode == "online" and not (os.environ.get("WANDB_API_KEY") or wandb.api.api_key):
            raise RuntimeError("API key not found: set WANDB_API_KEY, or use logger.wandb.mode=offline")
        self.run = wandb.init(
            project=self.project, name=self.folder.name, id=self.key, resume="allow", mode=self.mode,
            dir=str(self.folder), config=parameters, group=self.sweep.name if self.sweep else None, reinit="create_new",
            settings=wandb.Settings(init_timeout=self.timeout, console="off", silent=True),
        )  # fmt: skip

    def figures(self, values: dict[str, float], step: int) -> None:
        """Log the step as a metric, because a resumed run may go back in steps."""
        self.run.log(values | {"trainer/global_step": step})

    def end(self, result: Result) -> None:
        """Log the metrics of the result into the summary, and plots, files and checkpoint."""
        wandb: Any = import_module("wandb")
        self.run.summary.update({name: value for name, value in result.metrics.items() if value is not None})
        if plots := self.plots():
            self.run.log({f"plots/{path.stem}": wandb.Image(str(path)) for path in plots})
        best = self.folder / "checkpoints" / "best.ckpt"
        for path in [*self.files(), *([best] if self.checkpoint and best.exists() else [])]:
            self.run.save(str(path), base_path=str(self.folder), policy="now")
        self.run.finish(exit_code=0 if result.status == "completed" else 1)
