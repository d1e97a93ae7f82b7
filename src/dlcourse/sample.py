"""Draw images with one generative model or several: `python -m dlcourse.sample run=DIR [interpolate=9]`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """Write a sheet of images and an .npz to a new folder."""
    from hydra.core.hydra_config import HydraConfig

    if cfg.run is None and cfg.compare is None:
        raise UserError("run is missing: pass the run folder of a generative model, run=DIR")
    from dlcourse.commands.sample import sample
    from dlcourse.commands.sample_runs import sample_runs

    hydra_cfg = HydraConfig.get()
    draw = sample if cfg.compare is None else sample_runs
    return draw(cfg, Path(hydra_cfg.runtime.output_dir), list(hydra_cfg.overrides.task))


if __name__ == "__main__":
    launch("sample", task)
