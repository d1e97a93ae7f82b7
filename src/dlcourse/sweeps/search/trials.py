"""The search: propose a trial, run it as a job of the sweep, record its result, until the budget is used up."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dlcourse.config import check_keys, nearest, require
from dlcourse.errors import UserError
from dlcourse.runs.keys import APPEARANCE, PLACE, RECORD, kind
from dlcourse.runs.result import Result, read_result, write_result
from dlcourse.sweeps.grid import folder_word
from dlcourse.sweeps.search import study as studies
from dlcourse.sweeps.search.space import plain, read_space

if TYPE_CHECKING:
    from optuna import Study

log = logging.getLogger(__name__)

SETTINGS = frozenset({"trials", "minutes", "seed", "startup", "pruner", "warmup"})
REPEATS = 20  # repeated proposals in a row after which a small space counts as searched


def search(arguments: Sequence[str], cfg: DictConfig, launcher: Any, loader: Any) -> "Study":
    """Run or resume a search, and write its results.

    Args:
        arguments: the command line's words.
        cfg: composed from them, Hydra's own part included.
        launcher: runs jobs.
        loader: Hydra's, composes a job's config.

    Raises:
        UserError: a setting is wrong, which is found before the first trial, or no trial completed.
    """
    given = _given(arguments, loader)
    require(cfg, "model", "data")
    if cfg.data.get("validation") == 0:
        raise UserError(
            "a search needs validation data, but data.validation=0: set it, for example data.validation=0.2"
        )
    if "split" in cfg.data and not cfg.data.split[1]:
        raise UserError("a search needs validation data: set data.split, for example data.split=[80,10,10]")
    check_keys(cfg, overrides=given.values())
    studies.require_optuna()
    settings = _settings(cfg)
    space = read_space(cfg, [*given, *(key.replace("/", ".") for key in given)])
    kept = {key: word for key, word in given.items() if not key.startswith(("search.", "hydra"))}
    begun = {
        "space": plain(space),
        # the budget and the paths may change between parts
        "words": {key: word for key, word in kept.items() if kind(key) not in (RECORD, APPEARANCE, PLACE)},
        "monitor": cfg.model.get("monitor", "val/loss"),
        **{word: settings[word] for word in ("seed", "startup", "pruner", "warmup")},
    }
    folder = Path(cfg.hydra.sweep.dir)
    better = "maximize" if cfg.model.get("monitor_mode", "min") == "max" else "minimize"
    study = studies.begin(folder, better, begun, bool(cfg.resume))
    words = [word for key, word in given.items() if not key.startswith("search.")]
    try:
        _run_trials(study, folder, space, words, settings, launcher)
    except KeyboardInterrupt:
        named = shlex.quote(folder_word(folder))
        log.warning("the search was interrupted: continue it with the same command and %s resume=true", named)
        raise
    finally:
        studies.end_part(study)
    from dlcourse.sweeps.search.best import conclude

    conclude(study, folder, cfg, loader)
    return study


def _given(arguments: Sequence[str], loader: Any) -> dict[str, str]:
    """The overrides of the command line by key.

    Raises:
        UserError: one of them has several values.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found: dict[str, str] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)):
        key = override.get_key_element().lstrip("+~")
        if override.is_sweep_override():
            raise UserError(
                f"{override.input_line} has several values, but a search chooses values itself: pass one for {key}, "
                f"or let the search choose with '+search.space.{key.replace('/', '.')}={{choices: [...]}}'"
            )
        found[key] = override.input_line or ""
    return found


def _settings(cfg: DictConfig) -> dict[str, Any]:
    """The checked settings of the budget and the sampler."""
    found = {str(key): value for key, value in cfg.search.items() if key != "space"}
    if unknown := sorted(set(found) - SETTINGS):
        raise UserError(f"unknown key search.{unknown[0]}{nearest(unknown[0], SETTINGS)}")
    if missing := sorted(SETTINGS - set(found)):
        raise UserError(
            f"search.{missing[0]} is missing: add '- sampler/tpe@search' to the defaults of the search, or set it"
        )
    for word, whole, least in (("trials", True, 1), ("minutes", False, 0), ("seed", True, 0), ("startup", True, 1),
                               ("warmup", True, 0)):  # fmt: skip
        value = found[word]
        if value is None and word in ("trials", "minutes"):
            continue
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value < least:
            raise UserError(f"search.{word}={value} is not {'an integer' if whole else 'a number'} of {least} or more")
    if found["trials"] is None and found["minutes"] is None:
        raise UserError("a search needs a budget: set search.trials or search.minutes")
    if found["pruner"] not in studies.PRUNERS:
        raise UserError(f"search.pruner={found['pruner']} is unknown: use {', '.join(studies.PRUNERS)}")
    return found


def _run_trials(
    study: "Study", folder: Path, space: list[Any], words: list[str], settings: dict[str, Any], launcher: Any
) -> None:
    """Run trials until the budget is used up, first those that a kill interrupted."""
    import optuna
    from optuna.trial import TrialState

    for frozen in study.get_trials(states=[TrialState.RUNNING]):
        trial = optuna.Trial(study, frozen._trial_id)
        if set(frozen.params) == {parameter.key for parameter in space}:
            _run(study, trial, folder, [*words, *(p.suggest(trial) for p in space)], launcher)
        else:  # interrupted while it was proposed
            study.tell(trial, state=TrialState.FAIL)
    again = 0
    while settings["trials"] is None or len(study.get_trials(deepcopy=False)) < settings["trials"]:
        done = study.get_trials(deepcopy=False)
        if settings["minutes"] is not None and done:
            took = [t.duration.total_seconds() for t in done if t.duration is not None]
            left = 60 * settings["minutes"] - studies.spent(study)
            if left < max(took, default=0.0):
                print(f"{max(0, left):.0f} s are left, a trial may take {max(took):.0f} s: the search ends", flush=True)
                break
        study.sampler = studies.sampler(settings["seed"], settings["startup"], len(done))
        trial = study.ask()
        proposed = [parameter.suggest(trial) for parameter in space]
        twin = next((t for t in done if t.params == trial.params and t.state != TrialState.RUNNING), None)
        if twin is not None:  # its result is known
            print(f"trial {trial.number} repeats trial {twin.number}", flush=True)
            study.tell(trial, twin.value if twin.state == TrialState.COMPLETE else None, state=twin.state)
            again += 1
            if again == REPEATS:
                print("the last proposals repeated earlier trials: the search ends", flush=True)
                break
            continue
        again = 0
        _run(study, trial, folder, [*words, *proposed], launcher)


def _run(study: "Study", trial: Any, folder: Path, words: list[str], launcher: Any) -> None:
    """Run a trial as job `trial.number`, unless it ended before a kill, and record its result."""
    from optuna.trial import TrialState

    job = folder / str(trial.number)
    result = _ended(job)
    if result is None:
        error = "the job ended without a result"
        try:
            launcher.launch([words], initial_job_idx=trial.number)
        except (HydraException, OmegaConfBaseException) as problem:  # the values cannot be combined
            error = " ".join(str(problem).split())
        result = _ended(job)
        if result is None:
            job.mkdir(exist_ok=True)
            own = [word for word in words if not word.startswith("hydra")]
            result = Result("train", "failed", error=error, overrides=own)
            write_result(job, result)
            print(f"trial {trial.number} failed: {error}", flush=True)
    monitor = study.user_attrs["settings"]["monitor"]
    value = result.metrics.get(monitor)
    if result.status == "pruned":
        study.tell(trial, state=TrialState.PRUNED)
        figure = "not finite" if value is None else f"{value:.4g}"
        print(f"trial {trial.number}: pruned after epoch {result.epochs}, {monitor} {figure}", flush=True)
    elif result.status == "completed" and value is not None:
        study.tell(trial, value)
        print(f"trial {trial.number}: {monitor} {value:.4g}; best is trial {study.best_trial.number}, "
              f"{study.best_value:.4g}", flush=True)  # fmt: skip
    else:
        if result.status == "completed":
            log.warning(
                "trial %d did not record %s, which the search minimizes or maximizes: hold out validation data",
                trial.number,
                monitor,
            )
        study.tell(trial, state=TrialState.FAIL)


def _ended(job: Path) -> Result | None:
    """The result of a job that has ended, else None."""
    try:
        result = read_result(job)
    except UserError:  # an incomplete file, for example after a full disk
        return None
    return result if result and result.status in ("completed", "pruned", "failed") else None


def job_callbacks(cfg: DictConfig, hydra_cfg: Any) -> list[Any]:
    """The callbacks of a trial.

    Raises:
        UserError: the search of the trial does not exist.
    """
    from dlcourse.sweeps.search.pruning import Report

    journal = Path(hydra_cfg.sweep.dir) / studies.JOURNAL
    return [Report(journal, int(hydra_cfg.job.num), cfg.model.get("monitor", "val/loss"))]
