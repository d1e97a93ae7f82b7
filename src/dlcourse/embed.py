"""A two-dimensional map: `python -m dlcourse.embed method=umap data=digits16`, or of a run's features: `run=DIR`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch
from dlcourse.config import require
from dlcourse.config.values import check_method, check_seed
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """Write one map to the folder that Hydra names."""
    from hydra.core.hydra_config import HydraConfig

    if cfg.run is None:
        require(cfg, "data")
    # before torch is imported, which takes seconds
    check_method(cfg.method)
    check_seed(cfg.seed)
    if not isinstance(cfg.max_samples, int) or cfg.max_samples < 1:
        raise UserError(f"max_samples={cfg.max_samples} is not a positive integer: use for example 5000")
    from dlcourse.commands.embed import embed

    hydra_cfg = HydraConfig.get()
    return embed(cfg, Path(hydra_cfg.runtime.output_dir), list(hydra_cfg.overrides.task))


if __name__ == "__main__":
    launch("embed", task)
