"""The search itself: ask for a trial, run it as a job of the sweep, tell how it went, until the budget is spent."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dlcourse.config import require
from dlcourse.errors import UserError
from dlcourse.runs.keys import APPEARANCE, PLACE, RECORD, kind
from dlcourse.runs.result import Result, read_result, write_result
from dlcourse.sweeps.search import study as studies
from dlcourse.sweeps.search.space import plain, read_space

if TYPE_CHECKING:
    from optuna import Study

log = logging.getLogger(__name__)

REPEATS = 20  # proposals in a row that were made before, after which a space of few choices counts as searched


def search(arguments: Sequence[str], cfg: DictConfig, launcher: Any, loader: Any) -> "Study":
    """Run or go on with a search, and conclude it.

    Args:
        arguments: the command line's words.
        cfg: composed from them, Hydra's own part included.
        launcher: runs jobs.
        loader: Hydra's, composes a job's config.

    Raises:
        UserError: in one sentence, before the first trial; or no trial came to an end.
    """
    given = _given(arguments, loader)
    require(cfg, "model", "data")
    if cfg.data.get("validation") == 0:
        raise UserError("a search chooses by validation, and nothing is held out: set data.validation=0.2, say")
    if "split" in cfg.data and not cfg.data.split[1]:
        raise UserError("a search chooses by validation, and nothing is held out: set data.split=[80,10,10], say")
    studies.require_optuna()
    settings = _settings(cfg)
    space = read_space(cfg, [*given, *(key.replace("/", ".") for key in given)])
    kept = {key: word for key, word in given.items() if not key.startswith(("search.", "hydra"))}
    begun = {
        "space": plain(space),
        # the budget and where things lie may change from part to part
        "words": {key: word for key, word in kept.items() if kind(key) not in (RECORD, APPEARANCE, PLACE)},
        "monitor": cfg.model.get("monitor", "val/loss"),
        **{word: settings[word] for word in ("seed", "startup", "pruner", "warmup")},
    }
    folder = Path(cfg.hydra.sweep.dir)
    better = "maximize" if cfg.model.get("monitor_mode", "min") == "max" else "minimize"
    study = studies.begin(folder, better, begun, bool(cfg.resume))
    words = [word for key, word in given.items() if not key.startswith("search.")]
    try:
        _go(study, folder, space, words, settings, launcher)
    except KeyboardInterrupt:
        log.warning("the search was interrupted: the same command with name=%s resume=true goes on", folder.name)
        raise
    finally:
        studies.end_part(study)
    from dlcourse.sweeps.search.best import conclude

    conclude(study, folder, cfg, loader)
    return study


def _given(arguments: Sequence[str], loader: Any) -> dict[str, str]:
    """The command line's words by key.

    Raises:
        UserError: one of them is a sweep of its own.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found: dict[str, str] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)):
        key = override.get_key_element().lstrip("+~")
        if override.is_sweep_override():
            raise UserError(
                f"{override.input_line} is a sweep, and a search chooses values itself: give {key} one value, "
                f"or let the search choose with '+search.space.{key.replace('/', '.')}={{choices: [...]}}'"
            )
        found[key] = override.input_line or ""
    return found


def _settings(cfg: DictConfig) -> dict[str, Any]:
    """The budget and the sampler's settings, checked."""
    found = {str(key): value for key, value in cfg.search.items() if key != "space"}
    for word, whole, least in (("trials", True, 1), ("minutes", False, 0), ("seed", True, 0), ("startup", True, 1),
                               ("warmup", True, 0)):  # fmt: skip
        value = found[word]
        if value is None and word in ("trials", "minutes"):
            continue
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value < least:
            raise UserError(f"search.{word}={value} is no {'whole ' * whole}number of {least} or more: give one")
    if found["trials"] is None and found["minutes"] is None:
        raise UserError("a search needs an end: set search.trials or search.minutes")
    if found["pruner"] not in studies.PRUNERS:
        raise UserError(f"search.pruner={found['pruner']} is unknown: take {', '.join(studies.PRUNERS)}")
    return found


def _go(
    study: "Study", folder: Path, space: list[Any], words: list[str], settings: dict[str, Any], launcher: Any
) -> None:
    """Trials until the budget is spent, first those that a kill broke off."""
    import optuna
    from optuna.trial import TrialState

    for frozen in study.get_trials(states=[TrialState.RUNNING]):
        trial = optuna.Trial(study, frozen._trial_id)
        if set(frozen.params) == {parameter.key for parameter in space}:
            _run(study, trial, folder, [*words, *(p.suggest(trial) for p in space)], launcher)
        else:  # broken off while it was proposed
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
        if twin is not None:  # it would end as that one did
            print(f"trial {trial.number} is trial {twin.number} again", flush=True)
            study.tell(trial, twin.value if twin.state == TrialState.COMPLETE else None, state=twin.state)
            again += 1
            if again == REPEATS:
                print("nothing new was proposed for a while: the search ends", flush=True)
                break
            continue
        again = 0
        _run(study, trial, folder, [*words, *proposed], launcher)


def _run(study: "Study", trial: Any, folder: Path, words: list[str], launcher: Any) -> None:
    """One trial as job number `trial.number`, unless it came to its end before a kill; its outcome is told."""
    from optuna.trial import TrialState

    job = folder / str(trial.number)
    result = _ended(job)
    if result is None:
        error = "the job ended without a result"
        try:
            launcher.launch([words], initial_job_idx=trial.number)
        except (HydraException, OmegaConfBaseException) as problem:  # the values do not go together
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
        print(f"trial {trial.number}: pruned after epoch {result.epochs}, {monitor} {value:.4g}", flush=True)
    elif result.status == "completed" and value is not None:
        study.tell(trial, value)
        print(f"trial {trial.number}: {monitor} {value:.4g}; best is trial {study.best_trial.number}, "
              f"{study.best_value:.4g}", flush=True)  # fmt: skip
    else:
        if result.status == "completed":
            log.warning("trial %d has no %s, by which the search chooses: hold pictures out", trial.number, monitor)
        study.tell(trial, state=TrialState.FAIL)


def _ended(job: Path) -> Result | None:
    """The result of a job that is over, None of one to begin or to go on with."""
    try:
        result = read_result(job)
    except UserError:  # half a file, as a full disk leaves it
        return None
    return result if result and result.status in ("completed", "pruned", "failed") else None


def job_callbacks(cfg: DictConfig, hydra_cfg: Any) -> list[Any]:
    """What a trial's training needs beside its config.

    Raises:
        UserError: there is no search that the job is a trial of.
    """
    from dlcourse.sweeps.search.pruning import Report

    journal = Path(hydra_cfg.sweep.dir) / studies.JOURNAL
    return [Report(journal, int(hydra_cfg.job.num), cfg.model.get("monitor", "val/loss"))]
