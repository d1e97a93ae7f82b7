"""Train a model on a data set: `python -m dlcourse.train model=clock_multihead data=clocks`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.cli import launch
from dlcourse.config import require
from dlcourse.errors import UserError
from dlcourse.results import CONFIG


def task(cfg: DictConfig) -> Any:
    """One run in the folder that Hydra names."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    if not (folder / CONFIG).exists():
        require(cfg, "model", "data")  # before the seconds that torch takes to import
    if hydra_cfg.mode == RunMode.MULTIRUN and "ddp" in str(cfg.trainer.strategy):
        raise UserError("a sweep's job is one process: take trainer=auto, or run the jobs one by one without -m")
    more: dict[str, Any] = {}
    if cfg.get("search") is not None:
        if hydra_cfg.mode != RunMode.MULTIRUN:
            raise UserError("search=... is many runs: put -m before it, as in train -m search=vgg_block name=NAME")
        from dlcourse.search.trials import job_callbacks

        more = {"callbacks": job_callbacks(cfg, hydra_cfg), "tested": False}
        cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "search"])  # that is no part of the run
    from dlcourse.run import run

    return run(
        cfg,
        folder=folder,
        resume=cfg.resume or cfg.run is not None,
        overrides=list(hydra_cfg.overrides.task),
        experiment=hydra_cfg.runtime.choices.get("experiment"),
        **more,
    )


if __name__ == "__main__":
    launch("train", task)
