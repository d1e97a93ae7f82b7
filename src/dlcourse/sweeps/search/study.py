"""The Optuna study of a search, in a journal file that survives a kill."""

import os
import platform
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.errors import UserError

if TYPE_CHECKING:
    from optuna import Study

JOURNAL = "search.journal"
PRUNERS = ("median", "hyperband", "none")


def require_optuna() -> None:
    """Raise a UserError with the install command if Optuna is missing."""
    if find_spec("optuna") is None:
        raise UserError(
            "a search needs Optuna: install it with pip install 'optuna>=4.5,<6', or uv sync --extra search"
        )


def begin(folder: Path, direction: Literal["minimize", "maximize"], settings: dict[str, Any], resume: bool) -> "Study":
    """Create or resume the study of a sweep folder.

    Args:
        folder: of the sweep.
        direction: `minimize` or `maximize`.
        settings: what a search is begun with and never changes, plain values.
        resume: whether there may be one already.

    Raises:
        UserError: it exists and resume is false, it was started with other settings, or it is running.
    """
    import optuna

    path = folder / JOURNAL
    known = path.exists()
    if known and not resume:
        raise UserError(
            f"{folder} already contains a search: continue it with resume=true, or choose another name=NAME"
        )
    if not known and any(folder.glob("*/result.json")):
        raise UserError(f"{folder} contains a sweep that is not a search: choose another name=NAME")
    folder.mkdir(parents=True, exist_ok=True)
    seen = path.stat().st_mtime if known else 0.0  # the last change by a process that was killed
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=_storage(path), study_name="search", direction=direction, load_if_exists=True)
    begun = study.user_attrs.get("settings")
    if begun is None:
        study.set_user_attr("settings", settings)
    else:
        _compare(folder, begun, settings)
    before = study.user_attrs.get("parts", [])
    if before and before[-1][1] is None and _alive(*before[-1][2:]):
        raise UserError(
            f"process {before[-1][3]} is running in {folder}: wait for it, stop it, or choose another name=NAME"
        )
    parts = [[start, end or seen, *where] for start, end, *where in before]
    study.set_user_attr("parts", [*parts, [time.time(), None, platform.node(), os.getpid()]])
    return study


def _alive(machine: str, process: int) -> bool:
    """Whether a process runs on this machine; False where that is unknown."""
    if machine != platform.node() or process == os.getpid() or os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _compare(folder: Path, begun: dict[str, Any], settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        old = begun.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            for key in [*old, *value]:
                if old.get(key) != value.get(key):
                    what = "value" if name == "words" else name
                    raise UserError(
                        f"{folder} was started with another {what} for {key}: use it, or choose another name=NAME"
                    )
        elif old != value:
            raise UserError(
                f"{folder} was started with {name}={old}, not {value}: use that, or choose another name=NAME"
            )


def spent(study: "Study") -> float:
    """Seconds of all parts of a search, including the current one."""
    return sum((end or time.time()) - start for start, end, *_ in study.user_attrs["parts"])


def end_part(study: "Study") -> None:
    """Record the end of this part of the search."""
    *parts, (start, _, *where) = study.user_attrs["parts"]
    study.set_user_attr("parts", [*parts, [start, time.time(), *where]])


def sampler(seed: int, startup: int, number: int) -> Any:
    """The sampler of trial `number`: it depends on the seed and the earlier trials only, also after a resume."""
    import numpy as np
    import optuna

    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return optuna.samplers.TPESampler(n_startup_trials=startup, seed=drawn)


def load(path: Path) -> "Study":
    """Load the study of a journal, with its pruner, for the job of a trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="search", storage=_storage(path))
    settings = study.user_attrs["settings"]
    pruners = optuna.pruners
    made = {
        "median": lambda: pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=settings["warmup"]),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=settings["warmup"] or 1),
        "none": pruners.NopPruner,
    }
    study.pruner = made[settings["pruner"]]()
    return study


def _storage(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))
