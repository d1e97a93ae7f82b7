"""Plots of a search: the best value by trial, and the importance of each parameter."""

import logging
from itertools import accumulate
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.plots.curves import ANSWER, TRAIN, TRUTH, save

log = logging.getLogger(__name__)

FEW = 20  # completed trials below which importances are only a rough estimate


def draw_history(path: Path, study: Any) -> None:
    """The value of each trial and the best value so far.

    Args:
        path: of the PNG.
        study: of Optuna, with at least one completed trial.
    """
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    pruned = [t for t in trials if t.state == TrialState.PRUNED and t.intermediate_values]
    failed = [t for t in trials if t.state == TrialState.FAIL]
    higher = study.direction == StudyDirection.MAXIMIZE
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    best = list(accumulate((t.value for t in done), max if higher else min))
    numbers = [t.number for t in done]
    axes.step([*numbers, len(trials) - 0.5], [*best, best[-1]], where="post", color=TRUTH, label="best so far")
    axes.plot(numbers, [t.value for t in done], "o", color=TRAIN, label=f"completed ({len(done)})")
    if pruned:
        last = [t.intermediate_values[max(t.intermediate_values)] for t in pruned]
        axes.plot([t.number for t in pruned], last, "x", color="0.5", label=f"pruned, last epoch ({len(pruned)})")
    for place, trial in enumerate(failed):
        label = f"failed ({len(failed)})" if not place else None
        axes.axvline(trial.number, color=ANSWER, linestyle=":", linewidth=1, label=label)
    winner = study.best_trial
    axes.plot(winner.number, winner.value, "*", color=ANSWER, markersize=14, label=f"best: trial {winner.number}")
    axes.set(xlabel="trial", ylabel=study.user_attrs["settings"]["monitor"], xlim=(-0.5, len(trials) - 0.5))
    axes.set_title(f"{path.parent.name}: best {winner.value:.4g} in trial {winner.number} of {len(trials)}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, path)


def draw_importance(path: Path, study: Any) -> None:
    """The importance of each parameter among completed trials (PED-ANOVA), as bars.

    Watanabe et al., 2023, arXiv:2304.10255. Nothing is drawn of fewer than four trials, or where they do not differ.

    Args:
        path: of the PNG.
        study: of Optuna.
    """
    shares = importances(study)
    if not shares:
        return
    names, values = [*shares][::-1], [*shares.values()][::-1]
    figure = Figure(figsize=(7, 1.4 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, values, color=TRAIN)
    axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=3, fontsize=8)
    axes.set(xlabel="share of the importance", xlim=(0, 1.12 * max(values)))
    count = sum(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))
    rough = ", few: rough" if count < FEW else ""
    axes.set_title(f"{path.parent.name}: parameter importance from {count} completed trials{rough}", fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    save(figure, path)


def importances(study: Any) -> dict[str, float]:
    """Each parameter's importance, the largest first; empty where it cannot be computed."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    done = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    if len(done) < 4 or len({t.value for t in done}) < 2:
        return {}
    try:
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    except (ValueError, RuntimeError) as error:
        log.warning("parameter importance is not available: %s", error)
        return {}
