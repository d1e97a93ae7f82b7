"""Tests a run again, on its own test split or on other data."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from dlcourse.analysis import robustness
from dlcourse.analysis.feature_spaces import check_choice
from dlcourse.commands import game
from dlcourse.commands.finish import finish
from dlcourse.commands.measure import evaluation, measure_split, testing_trainer
from dlcourse.commands.own_module import evaluate_own, is_own
from dlcourse.config import check_keys
from dlcourse.data.clock_folder import ClockFolder
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.build import ANY_READER, READER, build_data, built_in, load_run
from dlcourse.models.conditional import Conditional
from dlcourse.models.generative import Generative
from dlcourse.plots.style import plotting
from dlcourse.runs.folders import refuse_run
from dlcourse.runs.result import CONFIG, Result, read_result, write_result
from dlcourse.runs.stored_config import read_stored
from dlcourse.runs.table import result_table, show, text_table
from dlcourse.training.trainer import quiet

LISTED = 4  # names of classes or factors in a message


def check_inputs(run: Path, learnt: Task, asked: Task) -> None:
    """Refuse data that the run's model cannot read; images of another size are resized."""
    if asked.kind != learnt.kind:
        raise UserError(f"{run} was trained on {learnt.kind}, but {asked.data} has {asked.kind}: choose other data")
    # the first number: channels, or the number of features
    if len(asked.in_shape) != len(learnt.in_shape) or asked.in_shape[0] != learnt.in_shape[0]:
        raise UserError(
            f"{run} was trained on {learnt.shape_text()}, but {asked.data} has {asked.shape_text()}: choose other data"
        )


def _check_fit(run: Path, learnt: Task, asked: Task) -> None:
    """Refuse data that the run's model cannot be tested on."""
    check_inputs(run, learnt, asked)
    if (asked.classes, asked.groups) != (learnt.classes, learnt.groups):
        raise UserError(
            f"{run} was trained on the classes {_listed(learnt.classes)} of {learnt.data}, but {asked.data} has "
            f"{_listed(asked.classes)}: choose other data"
        )


def _check_factors(run: Path, learnt: Task, asked: Task) -> None:
    """Refuse data whose factors differ from those that a conditional model is conditioned on."""
    if (asked.factors, asked.categories) != (learnt.factors, learnt.categories):
        raise UserError(
            f"{run} is conditioned on the factors {_listed(learnt.factors)} of {learnt.data}, but {asked.data} has "
            f"{_listed(asked.factors) or 'none'}: choose other data"
        )


def _listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _any_clock(data: DictConfig | None) -> bool:
    """Whether a data set is for the reader of any clock: whole photographs, or its rendered scenes."""
    return data is not None and bool(data.get("pad") or (data.get("scene") or {}).get("kind") == "any")


def _place(data: DictConfig) -> Path | None:
    """Where a data set's own files are; None for those of `data_dir`."""
    path = data.get("path")
    return Path(path).expanduser().resolve() if path is not None else None


def as_in_training(cfg: DictConfig, run_cfg: DictConfig, model: BaseModule, overrides: Sequence[str]) -> None:
    """Give data of the run's kind the run's size and colours, and files of the same place its split.

    Options on the command line remain.
    """
    given, own = cfg.get("data"), run_cfg.get("data")
    if given is None or own is None or given.name != own.name or "path" not in given:
        return
    values = {key: own[key] for key in ("size", "colour") if own.get(key) is not None}
    if "colour" in values:
        values["colour"] = "grey" if model.task.in_shape[0] == 1 else "colour"
    if _place(given) == _place(own):
        values |= {key: own[key] for key in ("validation", "test", "split_seed", "folds", "fold") if key in own}
    asked = {word.partition("=")[0].lstrip("+") for word in overrides}
    for key, value in values.items():
        if key in given and f"data.{key}" not in asked:
            OmegaConf.update(cfg, f"data.{key}", value)


SWITCHED = (torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._BatchNorm)


def forget_eval(model: BaseModule) -> None:
    """Keep dropout and batch norm in training mode during a test, as in a script that does not call `eval()`.

    Raises:
        UserError: the model has neither dropout nor batch norm.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, SWITCHED) and getattr(layer, "p", 1) > 0]
    if not layers:
        raise UserError("eval_mode=false does not change this model: it has neither dropout nor batch norm")

    def stay(layer: torch.nn.Module, _inputs: Any) -> None:
        layer.train()

    for layer in layers:
        layer.register_forward_pre_hook(stay)


def _data(cfg: DictConfig, run: Path, run_cfg: DictConfig, model: BaseModule, overrides: Sequence[str]) -> DataModule:
    """The data set to test on, loaded: the run's own, or the one that was given.

    Raises:
        UserError: it is not there, or the model cannot be tested on it.
    """
    given = cfg.get("data")
    if given is None and (cfg.run is None or any(word.startswith("data_dir=") for word in overrides)):
        OmegaConf.update(run_cfg, "data.data_dir", cfg.data_dir)
    as_in_training(cfg, run_cfg, model, overrides)
    data = build_data(run_cfg if given is None else cfg)
    # If the run was not trained on these images of the user, all of them are tested.
    # Generative models are compared with training images, so their images stay split.
    own = run_cfg.get("data")
    elsewhere = given is not None and (own is None or _place(given) != _place(own))
    data.whole = elsewhere and model.kind != Generative.kind
    data.prepare_data()
    data.setup()
    if model.kind == Generative.kind:
        data.as_pictures()
    _check_fit(run, model.task, data.task)
    if isinstance(model, Conditional) and model.conditional:
        _check_factors(run, model.task, data.task)
    return data


def evaluate(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> Result:
    """Test a run's best checkpoint again, on its own test split or on that of another data set.

    Args:
        cfg: composed from conf/evaluate.yaml: `run` (None: the built-in reader), `trainer`, and `data` where it
            is not the run's own; `robustness` and `game` for clock readers.
        folder: output folder of result.json and the plots.
        overrides: recorded in result.json.

    Raises:
        UserError: the run does not exist, or its model cannot be tested on the data.
    """
    quiet()
    refuse_run(folder)
    check_keys(cfg, "evaluate", overrides)
    run = Path(cfg.run) if cfg.run is not None else built_in(ANY_READER if _any_clock(cfg.get("data")) else READER)
    stored = read_stored(run / CONFIG, cfg.trust)
    if stored.get("model") is not None and is_own(stored, None):
        return evaluate_own(cfg, run, stored, folder, overrides)
    run_cfg, model = load_run(run, cfg.trust)
    if cfg.features is not None:
        if not isinstance(model, Generative):
            raise UserError(f"features={cfg.features} needs a generative model, but {run} is a {type(model).__name__}")
        check_choice(str(cfg.features), "features")
        model.features = str(cfg.features)
    before = read_result(run) or Result("train", "completed")
    data = _data(cfg, run, run_cfg, model, overrides)
    scenes = robustness.needs_scenes(data, "robustness=true") if cfg.robustness else None
    playable = None
    if cfg.game:
        playable = data if isinstance(data, ClockFolder) else robustness.needs_scenes(data, "game=true")
    trainer = testing_trainer(cfg, run_cfg)
    start = time.perf_counter()
    splits = ["test"]
    if not cfg.eval_mode:
        forget_eval(model)
        splits = list(data.arrays)
    metrics = {name: value for split in splits for name, value in measure_split(trainer, model, data, split).items()}
    ids = {"id", "metric", "value", "better"}
    # A reported figure belongs to one data set; for clocks that is the original images, whatever the training data.
    same = cfg.eval_mode and (data.title == model.task.data or data.task.kind == "time")
    result = evaluation(run, data, metrics, trainer, time.perf_counter() - start, overrides).updated(
        experiment=before.experiment,
        references=[{k: row[k] for k in row if k in ids} for row in before.references if same and data.is_published],
        samples=len(data.arrays["test"][0]),
        **model.extra_results(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_result(folder, result)
    if cfg.plots:
        from dlcourse.plots.dispatch import draw

        with plotting():
            draw(folder, model, data)
    if scenes is not None:
        from dlcourse.plots.robustness import draw_examined

        examined = robustness.examine(model, scenes)
        result.metrics.update(examined.metrics)
        (folder / "plots").mkdir(exist_ok=True)
        robustness.write_tables(folder / "plots", examined)
        with plotting("plots of the robustness"):
            draw_examined(folder / "plots", examined)
    if playable is not None:
        print(f"Game saved to {game.write_game(folder, model, playable)}")
    write_result(folder, result)
    if not cfg.eval_mode:
        rows = [[name, before.metrics.get(name), value] for name, value in metrics.items()]
        show(text_table(["metric", "with eval()", "without"], rows))
    show(result_table(result, folder))
    finish(folder, result, cfg)
    return result
