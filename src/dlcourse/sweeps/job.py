"""One training as Hydra starts it: alone, as a job of a sweep, or as a trial of a search."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dlcourse.config import config_dir_flags, require
from dlcourse.config.paths import quote_path
from dlcourse.config.values import check_values
from dlcourse.errors import UserError
from dlcourse.runs.provenance import config_dir
from dlcourse.runs.result import CONFIG, read_result
from dlcourse.sweeps.jobs import PLAN


def run_job(cfg: DictConfig) -> Any:
    """Train in the folder that Hydra names.

    Raises:
        UserError: the config asks for something that cannot run, or the run failed.
    """
    hydra_cfg = HydraConfig.get()
    folder, overrides = Path(hydra_cfg.runtime.output_dir), list(hydra_cfg.overrides.task)
    swept = hydra_cfg.mode == RunMode.MULTIRUN
    if not (folder / CONFIG).exists():
        require(cfg, "model", "data")
        check_values(cfg)
    search = cfg.get("search") is not None
    if search and not swept:
        raise UserError("search=... starts many runs: add -m, as in train -m search=vgg_block name=NAME")
    if not swept and not (folder.parent / PLAN).exists():  # a job under ddp is a command
        _check_single(cfg, hydra_cfg.overrides.hydra)
    if swept and "ddp" in str(cfg.trainer.strategy):
        if search:
            raise UserError("a search does not work with trainer=ddp: take trainer=auto")
        return _run_in_process(folder, overrides)
    more: dict[str, Any] = {}
    if search:
        from dlcourse.sweeps.search.trials import job_callbacks

        more = {"callbacks": job_callbacks(cfg, hydra_cfg), "tested": False}
        cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "search"])  # not a part of the run
    from dlcourse.commands.train import run
    from dlcourse.training.devices import claim_gpu

    if swept and "joblib" in hydra_cfg.launcher._target_:
        claim_gpu()
    return run(
        cfg,
        folder=folder,
        # the folder belongs to this job of the sweep, and a queue may start the job again
        resume=cfg.resume or cfg.run is not None or swept,
        overrides=overrides,
        experiment=hydra_cfg.runtime.choices.get("experiment"),
        sweep=folder.parent if swept or (folder.parent / PLAN).exists() else None,  # a job under ddp is a command
        **more,
    )


def _check_single(cfg: DictConfig, hydra_words: Sequence[str]) -> None:
    """Refuse options that a single run would ignore.

    Raises:
        UserError: one of them is given.
    """
    if cfg.name is not None:
        raise UserError(f"name={cfg.name} names a sweep: add -m, or set hydra.run.dir=DIR for a single run")
    if cfg.resume and not any(word.startswith("hydra.run.dir=") for word in hydra_words):
        raise UserError("resume=true does not say which run to resume: use run=DIR")


def _run_in_process(folder: Path, overrides: list[str]) -> None:
    """Run one job of a sweep as a command of its own.

    DDP starts its other processes with the command line of the first one, which here would be the whole sweep.

    Raises:
        UserError: the command failed.
    """
    place = f"hydra.run.dir={quote_path(str(folder))}"
    flags = config_dir_flags(config_dir())
    call = [sys.executable, "-m", "dlcourse.train", *flags, *overrides, place, "resume=true"]  # a queue may repeat it
    with subprocess.Popen(call) as process:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                continue  # Ctrl-C reaches the process as well, which saves a checkpoint first
    if code == 130:
        raise KeyboardInterrupt
    if code:
        result = read_result(folder)
        raise UserError((result and result.error) or f"its process ended with exit code {code} before training began")
