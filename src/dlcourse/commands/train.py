"""One run from a config to a run folder: build, fit, test, result.json, plots. Also for notebooks and scripts.

from dlcourse import compose, run
result = run(compose("model=clock_multihead", "data=clocks", "debug=fast"), folder="outputs/mine")
"""

import logging
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from omegaconf import DictConfig, OmegaConf

from dlcourse.commands.experiment import Experiment
from dlcourse.commands.own_module import OwnModuleExperiment, is_own, named_data
from dlcourse.config import check_keys, require
from dlcourse.config.paths import expand_home
from dlcourse.data.module import DataModule
from dlcourse.errors import UserError
from dlcourse.models.build import build_any_data, build_data
from dlcourse.runs.folders import drop_empty
from dlcourse.runs.keys import APPEARANCE, LONGER, PLACE, RECORD, SOURCE, SPEED, keys_of, kind
from dlcourse.runs.result import CONFIG, read_result
from dlcourse.runs.stored_config import foreign_targets, read_stored, targets, trust_needed
from dlcourse.runs.table import result_table, show
from dlcourse.training.checkpoints import LAST
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
        overrides, experiment: recorded in result.json.
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
    expand_home(cfg)
    try:
        if helper:
            cfg = read_stored(folder / CONFIG, _trust(cfg))
        elif stored:
            cfg = _stored_config(folder / CONFIG, cfg, overrides)
            done = read_result(folder)
            trained = _lengthen(cfg, folder, overrides) if asked_run else None
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
    try:
        with _console(), nullcontext() if helper else _log_file(folder / "train.log"), ddp_environment(cfg.trainer):
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


def _trust(cfg: DictConfig) -> list[str]:
    """What this command trusts: the names in `trust`, and those that its own config builds."""
    trust: Any = cfg.get("trust") or []
    return [*([trust] if isinstance(trust, str) else trust), *targets(cfg)]


def _stored_config(path: Path, cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config that the run was started with, with the device and threads of this command.

    Raises:
        UserError: the command changes a key that belongs to the run.
    """
    stored = read_stored(path, _trust(cfg))
    asked = cfg.copy()
    if asked.get("model") is not None:
        OmegaConf.resolve(asked)
    named = {word.partition("=")[0].lstrip("+") for word in overrides}
    for key in keys_of(asked):
        old, new = OmegaConf.select(stored, key), OmegaConf.select(asked, key)
        if kind(key) in (SPEED, APPEARANCE) and not OmegaConf.is_dict(new):
            if key in named:
                OmegaConf.update(stored, key, new)
            continue
        if cfg.get("run") is not None or kind(key) in (RECORD, PLACE, SOURCE):
            continue  # with `run=DIR` all other keys come from the stored config
        undecided = new is None or OmegaConf.is_dict(new) or (key == "trainer.precision" and new == "auto")
        if not undecided and old != new:
            raise UserError(f"{path.parent} was started with {key}={old}, not {new}: remove {key}, or start a new run")
    return stored


def _lengthen(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> int | None:
    """Set a stored config's number of epochs to that of `train run=DIR trainer.max_epochs=N`.

    Args:
        cfg: the stored config.
        folder: of the run.
        overrides: of this command.

    Returns:
        The earlier number of epochs; None if the command does not ask for another one.

    Raises:
        UserError: N is not larger, or the run cannot be continued.
    """
    asked = next((word.partition("=")[2] for word in overrides if word.partition("=")[0] == LONGER), None)
    if asked is None:
        return None
    before, done = cfg.trainer.max_epochs, read_result(folder)
    if asked == str(before) and (done is None or done.status != "completed"):
        return None
    if not asked.isdecimal() or int(asked) <= before:
        raise UserError(f"{folder} trains for {before} epochs: to train longer, set {LONGER} to more than {before}")
    if cfg.trainer.get("max_steps", -1) > 0:
        raise UserError(
            f"{folder} ends after trainer.max_steps={cfg.trainer.max_steps}: start a new run with more steps"
        )
    if not (folder / LAST).exists():
        raise UserError(f"{folder / LAST} not found, which a longer training continues from: start a new run")
    cfg.trainer.max_epochs = int(asked)
    return before


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore it: on a full disk the run reports the error itself, and a lost log line is not worth a traceback."""


@contextmanager
def _console() -> Generator[None]:
    """Print the log messages of dlcourse where no logging shows them, as in a notebook or a script."""
    logger = logging.getLogger("dlcourse")
    handlers = [*logger.handlers, *logging.getLogger().handlers]
    if any(isinstance(h, logging.StreamHandler) and h.level <= logging.INFO for h in handlers):
        yield
        return
    handler = logging.StreamHandler()
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _log_file(path: Path) -> Generator[None]:
    """Write the log messages of dlcourse to the run's train.log as well."""
    if path.is_symlink():  # in a folder from somebody else it may point to any file of the user
        raise UserError(f"{path} is a symbolic link and is not written to: remove it")
    logger = logging.getLogger("dlcourse")
    handler = _LogFile(path, encoding="utf8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
