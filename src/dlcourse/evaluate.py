"""Test a run again, on its own or on other data: `python -m dlcourse.evaluate run=DIR [data=...]`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch


def task(cfg: DictConfig) -> Any:
    """Test a run and write the result to a new folder in RUN/evaluations."""
    from hydra.core.hydra_config import HydraConfig

    from dlcourse.commands.evaluate import evaluate
    from dlcourse.training.memory import freed_memory_kept
    from dlcourse.training.threads import resolve_threads, torch_threads

    hydra_cfg = HydraConfig.get()
    with torch_threads(resolve_threads(cfg.threads)), freed_memory_kept():
        return evaluate(cfg, Path(hydra_cfg.runtime.output_dir), overrides=list(hydra_cfg.overrides.task))


if __name__ == "__main__":
    launch("evaluate", task)
