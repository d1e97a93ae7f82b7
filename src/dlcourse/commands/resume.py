"""The config of a run that is resumed, or trained for longer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError
from dlcourse.runs.keys import APPEARANCE, LONGER, PLACE, RECORD, SOURCE, SPEED, keys_of, kind
from dlcourse.runs.result import read_result
from dlcourse.runs.stored_config import read_stored, targets
from dlcourse.training.checkpoints import LAST


def trusted(cfg: DictConfig) -> list[str]:
    """What this command trusts: the names in `trust`, and those that its own config builds."""
    trust: Any = cfg.get("trust") or []
    return [*([trust] if isinstance(trust, str) else trust), *targets(cfg)]


def stored_config(path: Path, cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config that the run was started with, with the device, the threads and the data folder of this command.

    Raises:
        UserError: the command changes a key that belongs to the run.
    """
    stored = read_stored(path, trusted(cfg))
    asked = cfg.copy()
    if asked.get("model") is not None:
        OmegaConf.resolve(asked)
    named = {word.partition("=")[0].lstrip("+") for word in overrides}
    if "data_dir" in named:
        for key in ("data_dir", "data.data_dir"):
            if OmegaConf.select(stored, key) is not None:
                OmegaConf.update(stored, key, asked.data_dir)
    for key in keys_of(asked):
        old, new = OmegaConf.select(stored, key), OmegaConf.select(asked, key)
        if kind(key) in (SPEED, APPEARANCE) and not OmegaConf.is_dict(new):
            if key in named or (key.startswith("trainer.") and "trainer" in named):  # trainer=cpu sets the device
                OmegaConf.update(stored, key, new)
            continue
        if cfg.get("run") is not None or kind(key) in (RECORD, PLACE, SOURCE):
            continue  # with `run=DIR` all other keys come from the stored config
        undecided = new is None or OmegaConf.is_dict(new) or (key == "trainer.precision" and new == "auto")
        if not undecided and old != new:
            raise UserError(f"{path.parent} was started with {key}={old}, not {new}: remove {key}, or start a new run")
    return stored


def lengthen(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> int | None:
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
