"""Build objects from a config, and load the model of a run folder."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from dlcourse.config import require
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.base import SCHEMA, BaseModule
from dlcourse.models.quantization import weights_of
from dlcourse.runs.result import CONFIG
from dlcourse.runs.stored_config import read_stored


def build(node: DictConfig, **more: Any) -> Any:
    """The object that a config node describes.

    Keys that its class does not take (name, references, values that others refer to) are for the config alone.

    Raises:
        UserError: the class refused a value.
    """
    accepted = inspect.signature(get_class(node._target_)).parameters
    kept = {str(key): value for key, value in node.items() if key in accepted or str(key).startswith("_")}
    for key, value in kept.items():
        kind = accepted[key].annotation if key in accepted else None
        if kind is int and isinstance(value, float) and value.is_integer():
            kept[key] = int(value)  # 1e4
        elif kind in (int, float) and not isinstance(value, int if kind is int else (int, float)):
            whole = "whole number" if kind is int else "number"
            raise UserError(f"{key}={value} is no {whole}: give one, as in {key}=10")
        if OmegaConf.is_dict(value) and "_target_" in value:
            _check_keys(key, value)
    try:
        # Hydra would turn a dataclass among the arguments into a config, so they are given by an ordinary call.
        return instantiate(OmegaConf.create(kept), _partial_=True)(**more)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(str(error.__cause__ or error)) from error
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error


def _check_keys(name: str, node: DictConfig) -> None:
    """Refuse what a part that is built later would not take: a word for a number, a key that another choice left."""
    takes = inspect.signature(get_object(node._target_)).parameters
    for key, value in node.items():
        default = takes[str(key)].default if key in takes else None
        if isinstance(value, str) and isinstance(default, (int, float)):
            wanted = "neither true nor false" if isinstance(default, bool) else "no number"
            option = f"model.{name}.{key}"
            raise UserError(f"{option}={value} is {wanted}: give one, as in {option}={str(default).lower()}")
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in takes.values()):
        return
    left = [str(key) for key in node if key not in takes and not str(key).startswith("_")]
    if left:
        chosen = node._target_.rpartition(".")[2]
        remedy = " ".join(f"'~model.{name}.{key}'" for key in left)
        raise UserError(f"{chosen} takes no {', '.join(left)}, which the model or preset sets: add {remedy}")


def build_data(cfg: DictConfig) -> DataModule:
    """The data module that `data=NAME` chose."""
    require(cfg, "data")
    OmegaConf.resolve(cfg)
    data = build(cfg.data)
    if not isinstance(data, DataModule):
        raise UserError(f"data={cfg.data.get('name')} is not a data set ({cfg.data._target_}): choose one of conf/data")
    data.settings = OmegaConf.to_container(cfg.data)
    return data


def build_model(cfg: DictConfig, task: Task) -> BaseModule:
    """The family that `model=NAME` chose, for this task."""
    require(cfg, "model")
    OmegaConf.resolve(cfg)
    model = build(cfg.model, task=task)
    if not isinstance(model, BaseModule):
        raise UserError(
            f"model={cfg.model.get('name')} is not a model ({cfg.model._target_}): choose one of conf/model"
        )
    return model


def check_model(cfg: DictConfig) -> None:
    """Check the model's settings before the data is prepared, which may take minutes."""
    require(cfg, "model")
    kind = get_class(cfg.model._target_)
    if issubclass(kind, BaseModule):
        kind.check(cfg.model)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint of tensors and plain values; it cannot execute code.

    Raises:
        UserError: the file is missing, damaged or not a checkpoint of dlcourse.
    """
    if not path.exists():
        raise UserError(f"{path} not found: the run has not saved a checkpoint yet")
    try:
        if not path.is_file():
            raise ValueError("not a file")  # reading a pipe would block
        with warnings.catch_warnings(action="ignore"):  # torch warns about old formats
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of errors for a damaged file
        raise UserError(f"{path} is damaged or not a checkpoint ({type(error).__name__}): use another run") from None
    ours = checkpoint.get("dlcourse") if isinstance(checkpoint, dict) else None
    if not isinstance(ours, dict) or not isinstance(ours.get("schema"), int) or "state_dict" not in checkpoint:
        raise UserError(f"{path} is not a checkpoint of dlcourse: use one that train wrote")
    if ours["schema"] > SCHEMA:
        raise UserError(
            f"{path} was written by a newer dlcourse (schema {ours['schema']}, supported: {SCHEMA}): upgrade dlcourse"
        )
    return checkpoint


def load_run(folder: Path) -> tuple[DictConfig, BaseModule]:
    """A run's config and its model with the best weights.

    Raises:
        UserError: the folder is not a run folder, or its files do not match.
    """
    cfg = read_stored(folder / CONFIG)
    path = folder / "checkpoints" / "best.ckpt"
    path = folder / "weights.pt" if (folder / "weights.pt").exists() else path  # of an exported run
    checkpoint = load_checkpoint(path)
    try:
        task = Task.from_dict(checkpoint["dlcourse"]["task"])
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path} does not describe its task: use a checkpoint that train wrote") from None
    model = build_model(cfg, task)
    try:
        model.load_state_dict(weights_of(checkpoint))
    except (RuntimeError, TypeError, AttributeError, KeyError, ValueError):
        raise UserError(
            f"{path} does not match the model in {folder / CONFIG}: use the checkpoint of that run"
        ) from None
    return cfg, model.eval()


READER = Path(__file__).parents[1] / "clock_reader"  # the built-in reader


def built_in(folder: Path = READER) -> Path:
    """Run folder of the built-in clock reader.

    Raises:
        UserError: this copy of dlcourse does not include it.
    """
    if not (folder / "weights.pt").exists():
        raise UserError(
            "built-in reader not found in this copy of dlcourse: give run=DIR, a folder that train wrote, or create it "
            "by python -m dlcourse.export run=DIR"
        )
    return folder
