"""The run of a user's own LightningModule, as it is: fit, test and result.json, without dlcourse's analysis."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig

from dlcourse.commands.experiment import Experiment
from dlcourse.commands.finish import finish
from dlcourse.commands.measure import evaluation, testing_trainer
from dlcourse.data.module import DataModule
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.build import build, build_any_data, target
from dlcourse.runs.result import CONFIG, Result, write_result
from dlcourse.runs.table import result_table, show
from dlcourse.training.trainer import lightning_errors


def is_own(cfg: Any, model: LightningModule | None) -> bool:
    """Whether a run is of a LightningModule that is not a BaseModule, given as an object or by the config."""
    if model is not None:
        return not isinstance(model, BaseModule)
    kind = target(cfg.model)
    return isinstance(kind, type) and issubclass(kind, LightningModule) and not issubclass(kind, BaseModule)


def named_data(cfg: Any, data: LightningDataModule) -> Any:
    """A data module with the attributes that a result needs; only a LightningDataModule lacks them."""
    if not isinstance(data, DataModule):
        title = (cfg.get("data") or {}).get("name") or type(data).__name__
        vars(data).update(title=title, rendered=False, is_published=False)
    return data


class OwnModuleExperiment(Experiment):
    """One run of a LightningModule with any LightningDataModule.

    The metrics in result.json are those that the module logs: in `trainer.validate` and `trainer.test` of the best
    checkpoint, and those of training whose name starts with `train`. A name such as `test_acc` becomes `test/acc`.
    """

    def _load_data(self) -> None:
        """Lightning itself calls the hooks of a LightningDataModule."""
        if isinstance(self.data, DataModule):
            super()._load_data()

    def _has(self, split: str) -> bool:
        """Whether there are data and a step for `val` or `test`."""
        step = {"val": "validation_step", "test": "test_step"}[split]
        kind = target(self.cfg.model) if self.given_model is None else type(self.given_model)
        if not callable(getattr(kind, step, None)) or getattr(kind, step) is getattr(LightningModule, step):
            return False
        if isinstance(self.data, DataModule):
            return split in self.data.arrays
        return is_overridden(f"{split}_dataloader", self.data, LightningDataModule)

    def _has_validation(self) -> bool:
        return self._has("val")

    def _new_model(self) -> LightningModule:
        return self.given_model or build(self.cfg.model, "model.")

    def _parameter_count(self) -> int:
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def _step_work(self) -> float:
        return math.inf  # not known

    def _fastest_precision(self) -> str:
        return "32-true"

    def _compile(self) -> None:
        self.model.compile()

    def _find_rate(self) -> None:
        raise UserError("lr_find=true does not support your own LightningModule: remove lr_find=true")

    def _measure(self, trainer: Trainer) -> None:
        found = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("train")}
        metrics = _named("train", found)
        if self._has("val"):
            trainer.validate(self.model, datamodule=self.data, verbose=False)
            metrics |= _named("val", trainer.callback_metrics)
        if self._has("test") and self.tested:
            trainer.test(self.model, datamodule=self.data, verbose=False)
            metrics |= _named("test", trainer.callback_metrics)
        self.record.result.metrics.update(metrics)

    @staticmethod
    def _read_checkpoint(path: Path) -> dict[str, Any]:
        return _read_checkpoint(path)

    def _draw(self) -> None:
        """No plots: the module is not one that dlcourse knows."""


def evaluate_own(cfg: DictConfig, run: Path, run_cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> Result:
    """Test the best checkpoint of such a run again with `trainer.test`; the arguments are those of `evaluate`, and:

    Args:
        run_cfg: stored config of the run.

    Raises:
        UserError: an option needs a model of dlcourse, a test step or test data is missing, or the run is incomplete.
    """
    for key, default in (("features", None), ("eval_mode", True), ("robustness", False), ("game", False)):
        if cfg[key] != default:
            given = f"{key}={str(cfg[key]).lower()}"
            raise UserError(f"{given} does not support the LightningModule {run_cfg.model._target_}: remove {key}")
    path = run / "checkpoints" / "best.ckpt"
    if not path.exists():
        raise UserError(f"{path} not found: the run has not saved a checkpoint")
    chosen = cfg if cfg.get("data") is not None else run_cfg
    data = named_data(chosen, build_any_data(chosen))
    model = build(run_cfg.model, "model.")
    tested = is_overridden("test_step", model, LightningModule)
    if not (tested and is_overridden("test_dataloader", data, LightningDataModule)):
        missing = "the data's test_dataloader" if tested else f"{run_cfg.model._target_}.test_step"
        raise UserError(f"{run} cannot be tested, because {missing} is missing: define it")
    try:
        model.load_state_dict(_read_checkpoint(path)["state_dict"])
    except (RuntimeError, KeyError):
        raise UserError(f"{path} does not match the model in {run / CONFIG}: use the checkpoint of that run") from None
    trainer = testing_trainer(cfg, run_cfg)
    start = time.perf_counter()
    with lightning_errors():
        trainer.test(model, datamodule=data, verbose=False)
    seconds = time.perf_counter() - start
    result = evaluation(run, data, _named("test", trainer.callback_metrics), trainer, seconds, overrides)
    folder.mkdir(parents=True, exist_ok=True)
    write_result(folder, result)
    show(result_table(result, folder))
    finish(folder, result, cfg)
    return result


def _read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types
        raise UserError(
            f"{path} cannot be read without executing code ({type(error).__name__}): keep objects out of it with "
            "self.save_hyperparameters(ignore=[...]), or start a new run"
        ) from None


def _named(split: str, metrics: dict[str, Any]) -> dict[str, float]:
    """Logged metrics by `<split>/<name>`."""
    names = {name: name.removeprefix(f"{split}/").removeprefix(f"{split}_") for name in metrics}
    return {f"{split}/{names[name]}": float(value) for name, value in metrics.items()}
