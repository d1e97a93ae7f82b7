"""One run from a config to a folder: build, fit, test, pictures, result.json. Plain Python, for notebooks too.

from dlcourse import compose, run
result = run(compose("model=clock_multihead", "data=clocks", "debug=fast"), folder="outputs/mine")
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf

from dlcourse.commands.experiment import Experiment
from dlcourse.config import require
from dlcourse.data.module import DataModule
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.build import build_data
from dlcourse.runs.folders import drop_empty
from dlcourse.runs.keys import APPEARANCE, PLACE, RECORD, SOURCE, SPEED, keys_of, kind
from dlcourse.runs.result import CONFIG, read_result
from dlcourse.runs.stored_config import foreign_targets, read_stored, targets, trust_needed
from dlcourse.runs.table import result_table
from dlcourse.training.devices import process_rank
from dlcourse.training.trainer import quiet

log = logging.getLogger(__name__)


def run(
    cfg: DictConfig,
    *,
    model: BaseModule | None = None,
    data: DataModule | None = None,
    folder: str | Path,
    resume: bool = False,
    overrides: Sequence[str] = (),
    experiment: str | None = None,
    callbacks: Sequence[Callback] = (),
    tested: bool = True,
) -> dict[str, Any]:
    """Fit, test and write one run.

    Args:
        cfg: a composed config, as from `compose`.
        model, data: objects to use instead of what the config would build; `compose("trainer.max_epochs=3")` is config
            enough then. A run of objects is not rebuilt from its folder, since no config describes them.
        folder: the run folder; refused if it holds a run, unless `resume`.
        resume: go on from the folder's last checkpoint, start if there is none, give the result if it is completed.
        overrides, experiment: recorded in result.json.
        callbacks: of Lightning, beside those of the config. One with a true `pruned` after the fit ends the run there.
        tested: whether the test split is looked at, too; a search's trials leave it alone.

    Returns:
        The content of result.json, and `folder`.

    Raises:
        UserError: a mistake of the user's, in one sentence.
    """
    folder = Path(folder)
    quiet()
    stored = folder / CONFIG
    helper = process_rank() != 0  # one of several processes, started by the leader when its config was written
    if stored.exists() and not resume and not helper:
        raise UserError(f"{folder} holds a run already: go on with it by resume=true, or name another folder")
    cfg = cfg.copy()
    try:
        if helper:
            cfg = read_stored(stored, _trust(cfg))
        elif stored.exists():
            cfg = _stored_config(stored, cfg, overrides)
            done = read_result(folder)
            if done and done.status == "completed":
                print(result_table(done, folder), flush=True)
                return done.to_dict() | {"folder": str(folder)}
        if model is None:
            require(cfg, "model")
        if data is None:
            data = build_data(cfg)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): choose another with hydra.run.dir=DIR"
        ) from None
    except UserError:
        drop_empty(folder)
        raise
    with _log_file(folder / "train.log") if not helper else nullcontext():
        if (names := foreign_targets(cfg)) and not helper:
            log.info("this run builds %s: commands that load it need %s", ", ".join(names), trust_needed(names))
        return Experiment(cfg, model, data, folder, overrides, experiment, callbacks, tested).run()


def _trust(cfg: DictConfig) -> list[str]:
    """What this command trusts: the names in `trust`, and those that its own config builds."""
    trust: Any = cfg.get("trust") or []
    return [*([trust] if isinstance(trust, str) else trust), *targets(cfg)]


def _stored_config(path: Path, cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config that a folder was begun with, with the device and threads of this command.

    Raises:
        UserError: the command asks for something else than the folder holds.
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
        if cfg.get("run") is not None or kind(key) in (RECORD, PLACE, SOURCE):  # `run=DIR` names no other key
            continue
        undecided = new is None or OmegaConf.is_dict(new) or (key == "trainer.precision" and new == "auto")
        if not undecided and old != new:
            raise UserError(
                f"{path.parent} was started with {key}={old}, not {new}: leave {key} out, or start a new run"
            )
    return stored


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """On a full disk the run says what was lost; a line of its log is not worth a traceback."""


@contextmanager
def _log_file(path: Path) -> Generator[None]:
    """Everything that dlcourse says goes into the run's train.log as well."""
    if path.is_symlink():  # in a folder from somebody else it may lead to any file of the user's
        raise UserError(f"{path} is a link, and nothing is written through it: remove it")
    logger = logging.getLogger("dlcourse")
    handler = _LogFile(path, encoding="utf8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
