"""Train a model on a data set: `python -m dlcourse.train model=clock_multihead data=clocks`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.cli import launch
from dlcourse.config import require
from dlcourse.errors import UserError
from dlcourse.results import CONFIG, read_result


def run_apart(folder: Path, overrides: list[str]) -> None:
    """One job of a sweep as a command of its own.

    The processes of DDP start the command line again that began them, which in a sweep would be the whole sweep.

    Raises:
        UserError: it failed.
    """
    quoted = str(folder).replace("'", r"\'")
    call = [sys.executable, "-m", "dlcourse.train", *overrides, f"hydra.run.dir='{quoted}'"]
    environment = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    code = subprocess.run(call, env=environment, check=False).returncode
    result = read_result(folder) or {}
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise UserError(result.get("error") or f"its process ended with exit code {code} before it began")


def task(cfg: DictConfig) -> Any:
    """One run in the folder that Hydra names."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    if not (folder / CONFIG).exists():
        require(cfg, "model", "data")  # before the seconds that torch takes to import
    if hydra_cfg.mode == RunMode.MULTIRUN and "ddp" in str(cfg.trainer.strategy):
        if cfg.get("search") is not None:
            raise UserError("a trial of a search is one process: take trainer=auto")
        return run_apart(folder, list(hydra_cfg.overrides.task))
    more: dict[str, Any] = {}
    if cfg.get("search") is not None:
        if hydra_cfg.mode != RunMode.MULTIRUN:
            raise UserError("search=... is many runs: put -m before it, as in train -m search=vgg_block name=NAME")
        from dlcourse.search.trials import job_callbacks

        more = {"callbacks": job_callbacks(cfg, hydra_cfg), "tested": False}
        cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "search"])  # that is no part of the run
    from dlcourse.run import run
    from dlcourse.trainers import claim_gpu

    if "joblib" in hydra_cfg.launcher._target_ and hydra_cfg.mode == RunMode.MULTIRUN:
        claim_gpu()
    return run(
        cfg,
        folder=folder,
        # a sweep gives a folder to one job only, and a queue may start that job again
        resume=cfg.resume or cfg.run is not None or hydra_cfg.mode == RunMode.MULTIRUN,
        overrides=list(hydra_cfg.overrides.task),
        experiment=hydra_cfg.runtime.choices.get("experiment"),
        **more,
    )


if __name__ == "__main__":
    launch("train", task)
