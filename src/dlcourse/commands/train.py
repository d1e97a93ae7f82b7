"""One run from a config to a run folder: build, fit, test, result.json, plots. Also for notebooks and scripts.

from dlcourse import compose, run
result = run(compose("model=clock_multihead", "data=clocks", "debug=fast"), folder="outputs/mine")
"""

import logging
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from omegaconf import DictConfig, open_dict

from dlcourse.commands.experiment import Experiment
from dlcourse.commands.own_module import OwnModuleExperiment, is_own, named_data
from dlcourse.commands.resume import lengthen, stored_config, trusted
from dlcourse.commands.run_log import console, log_file
from dlcourse.config import check_keys, require
from dlcourse.config.paths import expand_home
from dlcourse.data.module import DataModule
from dlcourse.errors import UserError
from dlcourse.models.build import build_any_data, build_data
from dlcourse.runs.folders import drop_empty, in_use
from dlcourse.runs.result import CONFIG, read_result
from dlcourse.runs.stored_config import foreign_targets, read_stored, trust_needed
from dlcourse.runs.table import result_table, show
from dlcourse.training.devices import check_launcher, ddp_environment, process_rank
from dlcourse.training.trainer import check_options, quiet

log = logging.getLogger(__name__)


def run(
    cfg: DictConfig,
    *,
    model: LightningModule | None = None,
    data: LightningDataModule | None = None,
    folder: str | Path,
    resume: bool = False,
    overrides: Sequence[str] = (),
    experiment: str | None = None,
    callbacks: Sequence[Callback] = (),
    tested: bool = True,
    sweep: Path | None = None,
) -> dict[str, Any]:
    """Fit, test and write one run.

    Args:
        cfg: a composed config, as from `compose`.
        model, data: objects to use instead of those that the config builds; `compose("trainer.max_epochs=3")` is then
            a sufficient config. Such a run cannot be loaded from its folder, because its config does not describe them.
            A LightningModule that is not a BaseModule is fitted and tested as it is, with any LightningDataModule.
        folder: the run folder; it must not contain a run, unless `resume` is set.
        resume: resume from the folder's last checkpoint, or start; return the result if it is completed.
        overrides, experiment: recorded in result.json; by default those that `compose` was called with.
        callbacks: Lightning callbacks in addition to those of the config. The run ends after the fit if one of them
            has a true attribute `pruned`.
        tested: whether to measure the test split; the trials of a search do not.
        sweep: folder of the sweep that the run is a job of; its jobs share `trainer.precision=auto`.

    Returns:
        The content of result.json and `folder`.

    Raises:
        UserError: a setting or a file is wrong; the message is one sentence with the remedy.
    """
    folder = Path(folder)
    quiet()
    helper = process_rank() != 0  # started by the first process of ddp after it has written config.yaml
    stored = (folder / CONFIG).exists()
    if stored and not resume and not helper:
        raise UserError(f"{folder} already contains a run: resume it with resume=true, or use another folder")
    cfg, asked_run, trained = cfg.copy(), cfg.get("run") is not None, None
    with open_dict(cfg):
        composed = cfg.pop("overrides", None)  # of `compose`
    if composed is not None and not overrides:
        overrides = list(composed)
        experiment = next((word.partition("=")[2] for word in overrides if word.startswith("experiment=")), None)
    expand_home(cfg)
    try:
        if helper:
            cfg = read_stored(folder / CONFIG, trusted(cfg))
        elif stored:
            cfg = stored_config(folder / CONFIG, cfg, overrides)
            done = read_result(folder)
            trained = lengthen(cfg, folder, overrides) if asked_run else None
            if trained is None and done and done.status == "completed":
                show(result_table(done, folder))
                return done.to_dict() | {"folder": str(folder)}
        if model is None:
            require(cfg, "model")
        if not stored:
            check_keys(cfg, overrides=overrides)
        own = is_own(cfg, model)
        data = _data_for(cfg, data, own)
        check_launcher(cfg.trainer)
        check_options(cfg.trainer)
        folder.mkdir(parents=True, exist_ok=True)
        fresh = not any(folder.iterdir()) and not helper
    except OSError as error:
        raise UserError(
            f"{folder} could not be written ({error.strerror}): use another folder with hydra.run.dir=DIR"
        ) from None
    except UserError:
        drop_empty(folder)
        raise
    begun: Experiment | None = None
    with console(), nullcontext() if helper else in_use(folder):
        try:
            with nullcontext() if helper else log_file(folder / "train.log"), ddp_environment(cfg.trainer):
                if (names := foreign_targets(cfg)) and not helper:
                    log.info("this run builds %s: commands that load it need %s", ", ".join(names), trust_needed(names))
                kind = OwnModuleExperiment if own else Experiment
                begun = kind(cfg, model, data, folder, overrides, experiment, callbacks, tested, trained, sweep)
                return begun.run()
        except UserError:
            if fresh and not (begun and begun.has_trained):  # refused before the first step: nothing to keep
                shutil.rmtree(folder, ignore_errors=True)
                drop_empty(folder.parent)
            raise


def _data_for(cfg: DictConfig, data: LightningDataModule | None, own: bool) -> LightningDataModule:
    """The data to train on: those given, or those that the config names.

    Raises:
        UserError: they do not fit the model.
    """
    if data is None:
        data = build_any_data(cfg) if own else build_data(cfg)
    elif not own and not isinstance(data, DataModule):
        raise UserError(
            f"{type(data).__name__} is a LightningDataModule, which works with your own LightningModule only: "
            "subclass dlcourse.data.module.DataModule"
        )
    return named_data(cfg, data)
