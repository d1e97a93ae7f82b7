"""Draw images with a generative model: `python -m dlcourse.sample run=DIR [interpolate=9]`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """Write a sheet of images and an .npz to a new folder."""
    from hydra.core.hydra_config import HydraConfig

    if cfg.run is None:
        raise UserError("run is missing: pass the run folder of a generative model, run=DIR")
    from dlcourse.commands.sample import sample

    hydra_cfg = HydraConfig.get()
    return sample(cfg, Path(hydra_cfg.runtime.output_dir), list(hydra_cfg.overrides.task))


if __name__ == "__main__":
    launch("sample", task)
