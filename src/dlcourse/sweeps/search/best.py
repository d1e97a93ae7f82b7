"""The end of a search: test the best trial, write it as a preset, and plot the history."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig, OmegaConf

from dlcourse.config import shell_command
from dlcourse.errors import UserError
from dlcourse.runs.files import write_text
from dlcourse.runs.keys import APPEARANCE, PLACE, RECORD, SPEED, TRACKING, keys_of, kind
from dlcourse.runs.metrics import leading_metric
from dlcourse.runs.result import CONFIG, Result, read_result
from dlcourse.runs.stored_config import read_stored
from dlcourse.sweeps.jobs import job_result

if TYPE_CHECKING:
    from optuna import Study

LEFT_OUT = (RECORD, PLACE, APPEARANCE, TRACKING, SPEED)  # kinds of keys that a preset leaves to its user


def conclude(study: "Study", folder: Path, cfg: DictConfig, loader: Any) -> None:
    """Test the best trial, write experiment/best.yaml, history.png and importance.png into the sweep's folder.

    Raises:
        UserError: no trial was completed.
    """
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        errors = [r.error for t in trials if (r := job_result(folder / str(t.number))) and r.error]
        raise UserError(f"all trials of {folder} failed{f'; the first error: {errors[0]}' if errors else ''}")
    job = folder / str(study.best_trial.number)
    measured = _test(job, cfg)
    best = job_result(job)
    assert best is not None  # the study takes its value from there
    overrides = best.overrides
    preset = folder / "experiment" / "best.yaml"
    preset.parent.mkdir(exist_ok=True)
    words = _header(study, job, measured)
    write_text(preset, words + _preset(read_stored(job / CONFIG, builds=False), overrides, cfg, loader))
    from dlcourse.plots.style import plotting
    from dlcourse.sweeps.plots.search import draw_history, draw_importance

    with plotting("plots of the search"):
        draw_history(folder / "history.png", study)
        draw_importance(folder / "importance.png", study)
    states = [sum(t.state == s for t in trials) for s in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)]
    print("\n{} trials: {} completed, {} pruned, {} failed".format(len(trials), *states))
    monitor = study.user_attrs["settings"]["monitor"]
    print(f"best trial: {job.name}, chosen by {monitor} {study.best_value:.4g}; run it again with:")
    print(f"  python -m dlcourse.{_command(folder)}", flush=True)


def _test(job: Path, search_cfg: DictConfig) -> Result:
    """Evaluate the best trial on the test split once, into a folder beside its result."""
    from dlcourse.commands.evaluate import evaluate
    from dlcourse.commands.resume import trusted
    from dlcourse.training.threads import torch_threads

    folder = job / "evaluations" / "best"
    done = read_result(folder)
    if done is not None:
        return done
    stored = read_stored(job / CONFIG, builds=False)
    with torch_threads(stored.get("threads")):
        asked = {"plots": True, "eval_mode": True, "robustness": False, "game": False, "features": None}
        asked["trust"] = trusted(search_cfg)
        cfg = OmegaConf.create({"run": str(job), "data": None, "trainer": stored.trainer, **asked})
        return evaluate(cfg, folder)


def _header(study: "Study", job: Path, measured: Result) -> str:
    """The header of the preset."""
    result = read_result(job)
    assert result is not None
    references = result.references
    row = references[0] if references else None
    metric = leading_metric(measured.metrics, references)
    reported = f"{row['value']:.4g} {row['metric']} ({row['id']})" if row else "nothing"
    monitor = study.user_attrs["settings"]["monitor"]
    count = len(study.get_trials(deepcopy=False))
    taken = sum(result.seconds.values())
    return (
        "# @package _global_\n"
        f"# {result.model} on {result.data}, the best of {count} trials of a search, chosen by {monitor}.\n"
        f"# Reported: {reported}.\n"
        f"# Measured: {measured.metrics[str(metric)]:.4g} {metric}, {study.best_value:.4g} {monitor}, {taken:.0f} s on "
        f"{result.device} {result.precision}; {_command(job.parent)}\n"
    )


def _command(folder: Path) -> str:
    """The verb and words that train the best configuration of a search in full."""
    return shell_command(["train", "--config-dir", str(folder), "experiment=best"])


def _preset(stored: DictConfig, overrides: list[str], cfg: DictConfig, loader: Any) -> str:
    """A run's config as a preset: its choices, and every value that differs from their defaults."""
    from hydra.types import RunMode

    def composed(words: list[str]) -> DictConfig:
        found = loader.load_configuration(cfg.hydra.job.config_name, words, run_mode=RunMode.RUN)
        OmegaConf.set_struct(found, False)
        return found

    chosen = composed([word for word in overrides if not word.startswith("search.")]).hydra.runtime.choices
    first = {group: chosen[group] for group in ("data", "model")}
    usual = composed([f"{group}={name}" for group, name in first.items()]).hydra.runtime.choices
    nested = {
        str(group): name
        for group, name in chosen.items()
        if str(group).startswith(("data/", "model/")) and "@" not in str(group) and usual.get(group) != name
    }
    words = [f"{group}={name}" for group, name in (first | nested).items()]
    base = composed([*words, f"seed={stored.seed}"])
    raw = base.copy()
    del base["hydra"]
    OmegaConf.resolve(base)
    values = OmegaConf.create()
    for key in keys_of(stored):
        if kind(key) in LEFT_OUT:
            continue
        value = OmegaConf.select(stored, key)
        if OmegaConf.is_dict(value) and len(value):
            continue  # its keys are compared one by one
        parent, _, last = key.rpartition(".")
        node = (OmegaConf.select(raw, parent) if parent else raw) or {}
        follows = OmegaConf.is_dict(node) and last in node and OmegaConf.is_interpolation(node, last)
        if not follows and OmegaConf.select(base, key) != value:
            OmegaConf.update(values, key, value, force_add=True)
    if stored.seed:
        values.seed = stored.seed
    lines = ["defaults:", *(f"  - override /{group}: {name}" for group, name in (first | nested).items()), ""]
    return (
        "\n".join(lines)
        + "\n"
        + yaml.safe_dump(OmegaConf.to_container(values), default_flow_style=None, sort_keys=False)
    )
