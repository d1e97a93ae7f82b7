"""A trained model measured on a split, and a run measured again."""

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf

from dlcourse import game, results, robustness
from dlcourse.build import build_data, load_run
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.family import Family
from dlcourse.reader import built_in
from dlcourse.table import result_table, text_table
from dlcourse.trainers import device_name, make_trainer, quiet


def measure_split(trainer: Trainer, model: Family, data: DataModule, split: str) -> dict[str, float]:
    """A model's metrics on one split, as `<split>/<name>`; `model.answers` holds the answers afterwards."""
    model.split = split
    model.look_at(data)
    trainer.test(model, data.split_dataloader(split), verbose=False)
    return {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith(f"{split}/")}


def draw(folder: Path, model: Family, data: DataModule) -> None:
    """The pictures for a family's kind of task (dlcourse/plots/<kind>.py), and its own, into `folder`/plots."""
    (folder / "plots").mkdir(exist_ok=True)
    for name in model.pictures():
        import_module(f"dlcourse.plots.{name}").draw(folder, model, data)


def draw_beside(folder: Path, model: Family, result: dict[str, Any]) -> None:
    """The picture of a run among its neighbours, where its kind of task has one; wants result.json written."""
    among = getattr(import_module(f"dlcourse.plots.{model.kind}"), "draw_size_and_time", None)
    if among is not None:
        among(folder, result)


def _check_fit(run: Path, learnt: Task, asked: Task) -> None:
    """Refuse data that a run's model cannot be measured on; pictures of another size are resized, so they can."""
    if asked.kind != learnt.kind:
        raise UserError(f"{run} learnt {learnt.kind} but {asked.data} asks for {asked.kind}: choose other data")
    # the first number: channels, or how many plain features there are
    if len(asked.in_shape) != len(learnt.in_shape) or asked.in_shape[0] != learnt.in_shape[0]:
        raise UserError(
            f"{run} learnt {learnt.shape_text()} but {asked.data} has {asked.shape_text()}: choose other data"
        )
    if (asked.classes, asked.groups) != (learnt.classes, learnt.groups):
        raise UserError(f"{run} learnt the classes of {learnt.data}, not those of {asked.data}: choose other data")


SWITCHED = (torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._BatchNorm)


def forget_eval(model: Family) -> None:
    """Let a model work as a script does that never calls `eval()`: dropout stays on, batch norm takes each batch's own
    statistics.

    Raises:
        UserError: the model has neither.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, SWITCHED) and getattr(layer, "p", 1) > 0]
    if not layers:
        raise UserError("eval_mode=false changes nothing: the model has neither dropout nor batch norm; leave it out")

    def stay(layer: torch.nn.Module, _inputs: Any) -> None:
        layer.train()

    for layer in layers:
        layer.register_forward_pre_hook(stay)


def evaluate(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Measure a run's best checkpoint again, on its own test split or on another data set's.

    Args:
        cfg: composed from conf/evaluate.yaml: `run` (None: the built-in clock reader), `trainer`, and `data` where it
            is not the run's own; what else to make of a clock reader.
        folder: where result.json and the pictures go.
        overrides: recorded in result.json.

    Raises:
        UserError: there is no such run, or the data asks something else than the run learnt.
    """
    quiet()
    run = Path(cfg.run) if cfg.run is not None else built_in()
    run_cfg, model = load_run(run)
    before = results.read_result(run) or {}
    if cfg.get("data") is None and (cfg.run is None or any(word.startswith("data_dir=") for word in overrides)):
        OmegaConf.update(run_cfg, "data.data_dir", cfg.data_dir)
    data = build_data(cfg if cfg.get("data") is not None else run_cfg)
    data.prepare_data()
    data.setup()
    _check_fit(run, model.task, data.task)
    for asked in ("robustness", "game"):
        if cfg[asked]:
            robustness.needs_scenes(data, f"{asked}=true")
    settings = cfg.trainer.copy()
    if settings.precision == "auto":
        settings.precision = run_cfg.trainer.precision
    settings.devices, settings.strategy = 1, "auto"
    trainer = make_trainer(settings, logger=False, enable_checkpointing=False)
    start = time.perf_counter()
    splits = ["test"]
    if not cfg.eval_mode:
        forget_eval(model)
        splits = list(data.arrays)
    metrics = {name: value for split in splits for name, value in measure_split(trainer, model, data, split).items()}
    ids = {"id", "metric", "value", "better"}
    # A reported figure is of one set of pictures; those of clocks are of the original files, whatever was learnt from.
    same = cfg.eval_mode and (data.title == model.task.data or data.task.kind == "time")
    result = {key: before.get(key) for key in ("schema", "experiment", "model", "parameters", "seed", "epochs")} | {
        "schema": results.SCHEMA,
        "status": "completed",
        "run": str(run),
        "data": data.title,
        "rendered": data.rendered,
        "metrics": metrics,
        **model.remarks(),
        "references": [{k: row[k] for k in row if k in ids} for row in before.get("references", []) if same],
        "seconds": {"test": round(time.perf_counter() - start, 2)},
        "device": device_name(trainer),
        "precision": settings.precision,
        "versions": results.versions(),
        "git": results.git_commit(),
        "overrides": list(overrides),
        "error": None,
    }
    folder.mkdir(parents=True, exist_ok=True)
    if cfg.plots:
        draw(folder, model, data)
    if cfg.robustness:
        examined = robustness.examine(model, robustness.needs_scenes(data, "robustness=true"))
        metrics.update(examined.metrics)
        (folder / "plots").mkdir(exist_ok=True)
        robustness.write_tables(folder / "plots", examined)
        import_module("dlcourse.plots.robustness").draw_examined(folder / "plots", examined)
    if cfg.game:
        print(f"the game is {game.write_game(folder, model, robustness.needs_scenes(data, 'game=true'))}")
    results.write_result(folder, result)
    if not cfg.eval_mode:
        known = before.get("metrics", {})
        rows = [[name, known.get(name), value] for name, value in metrics.items()]
        print(text_table(["metric", "with eval()", "without"], rows))
    print(result_table(result, folder), flush=True)
    return result | {"folder": str(folder)}
