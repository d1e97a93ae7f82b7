"""A two-dimensional map: `python -m dlcourse.embed method=umap data=digits16`, or of a run's features: `run=DIR`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli import launch
from dlcourse.config import require
from dlcourse.errors import UserError
from dlcourse.results import RESULT, UNSTARTED, drop_empty, write_result


def task(cfg: DictConfig) -> Any:
    """One map in the folder that Hydra names."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra_cfg = HydraConfig.get()
    folder, overrides = Path(hydra_cfg.runtime.output_dir), list(hydra_cfg.overrides.task)
    try:
        if cfg.run is None:
            require(cfg, "data")
        from dlcourse.embedding import embed

        return embed(cfg, folder, overrides)
    except UserError as error:
        if hydra_cfg.mode == RunMode.MULTIRUN and not (folder / RESULT).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_result(folder, UNSTARTED | {"error": str(error), "overrides": overrides})
        drop_empty(folder)
        raise


if __name__ == "__main__":
    launch("embed", task)
