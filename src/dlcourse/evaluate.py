"""Test a run again, on its own or on other data: `python -m dlcourse.evaluate run=DIR [data=...]`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli import launch
from dlcourse.errors import UserError
from dlcourse.results import drop_empty


def task(cfg: DictConfig) -> Any:
    """One evaluation into a folder of its own beside the run's result."""
    from hydra.core.hydra_config import HydraConfig

    from dlcourse.evaluation import evaluate

    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        return evaluate(cfg, folder, overrides=list(HydraConfig.get().overrides.task))
    except UserError:
        drop_empty(folder)
        raise


if __name__ == "__main__":
    launch("evaluate", task)
