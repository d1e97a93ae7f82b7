"""Build objects from a config, and load the model of a run folder."""

import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from lightning.pytorch import LightningDataModule, LightningModule
from omegaconf import DictConfig, OmegaConf

from dlcourse.config import require
from dlcourse.config.unread import CONFIG_ONLY, parameters
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.base import SCHEMA, BaseModule
from dlcourse.models.quantization import weights_of
from dlcourse.runs.folders import weights_file
from dlcourse.runs.metrics import finite
from dlcourse.runs.result import CONFIG, read_result
from dlcourse.runs.stored_config import read_stored


def build(node: DictConfig, under: str = "", /, **more: Any) -> Any:
    """The object that a config node describes.

    Keys that its class does not take (name, references, values that others refer to) are for the config alone;
    `dlcourse.config.check_keys` has refused all others.

    Args:
        node: with `_target_` and the arguments.
        under: where the node is in the config, such as `data.`, for messages.
        more: arguments that are not in the config.

    Raises:
        UserError: a value that the class refuses.
    """
    accepted, anything = parameters(target(node))
    kept = {
        str(key): value
        for key, value in node.items()
        if key in accepted or str(key).startswith("_") or (anything and key not in CONFIG_ONLY["model"])
    }
    for key, value in kept.items():
        kind = accepted[key].annotation if key in accepted else None
        if kind is int and isinstance(value, float) and value.is_integer():
            kept[key] = int(value)  # 1e4
        elif kind in (int, float) and not isinstance(value, int if kind is int else (int, float)):
            wanted = "an integer" if kind is int else "a number"
            raise UserError(f"{under}{key}={value} is not {wanted}: use for example {under}{key}=10")
        elif kind is bool and isinstance(value, str):
            raise UserError(f"{under}{key}={value} is not true or false: use for example {under}{key}=true")
        if OmegaConf.is_dict(value) and "_target_" in value:
            _check_types(f"{under}{key}", value)
    try:
        # An ordinary call, since Hydra would turn a dataclass among the arguments into a config.
        return instantiate(OmegaConf.create(kept), _partial_=True)(**more)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(str(error.__cause__ or error)) from error
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from error


def build_logger(node: DictConfig, folder: Path) -> Any:
    """A logger; it gets the run folder if it takes a `save_dir`."""
    return build(node, **({"save_dir": str(folder)} if "save_dir" in parameters(target(node))[0] else {}))


def _check_types(name: str, node: DictConfig) -> None:
    """Refuse wrong types in a part that is built later, such as model.net."""
    takes = parameters(target(node))[0]
    for key, value in node.items():
        default = takes[str(key)].default if key in takes else None
        if isinstance(value, str) and isinstance(default, (int, float)):
            wanted = "true or false" if isinstance(default, bool) else "a number"
            option = f"{name}.{key}"
            raise UserError(f"{option}={value} is not {wanted}: use for example {option}={str(default).lower()}")


def target(node: DictConfig) -> Any:
    """The class or function that a config node names.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        return get_object(node._target_)
    except Exception as error:  # importing a module can raise anything
        reason = " ".join(str(error.__cause__ or error).split())
        raise UserError(
            f"{node._target_} could not be imported ({type(error.__cause__ or error).__name__}: {reason}): correct the "
            "name, install or repair its package, or set PYTHONPATH to its folder"
        ) from error


def build_data(cfg: DictConfig) -> DataModule:
    """The data module that `data=NAME` chose."""
    data = build_any_data(cfg)
    if not isinstance(data, DataModule):
        raise UserError(
            f"data={cfg.data.get('name')} is a LightningDataModule ({cfg.data._target_}), which works with your own "
            "LightningModule in train only: subclass dlcourse.data.module.DataModule"
        )
    return data


def build_any_data(cfg: DictConfig) -> LightningDataModule:
    """The same for a LightningModule of the user, with which any LightningDataModule works."""
    require(cfg, "data")
    OmegaConf.resolve(cfg)
    data = build(cfg.data, "data.")
    if not isinstance(data, LightningDataModule):
        raise UserError(f"data={cfg.data.get('name')} is not a data set ({cfg.data._target_}): choose one of conf/data")
    if isinstance(data, DataModule):
        data.settings = OmegaConf.to_container(cfg.data)
    return data


def build_model(cfg: DictConfig, task: Task) -> BaseModule:
    """The family that `model=NAME` chose, for this task."""
    require(cfg, "model")
    OmegaConf.resolve(cfg)
    model = build(cfg.model, "model.", task=task)
    if not isinstance(model, BaseModule):
        raise UserError(
            f"model={cfg.model.get('name')} is not a model ({cfg.model._target_}): choose one of conf/model"
        )
    return model


def check_model(cfg: DictConfig, data: DataModule) -> None:
    """Reject a model that does not fit the data, and settings that are invalid, before the data is prepared."""
    require(cfg, "model")
    kind = target(cfg.model)
    if isinstance(kind, type) and issubclass(kind, BaseModule):
        kind.check(cfg.model)
        if data.task_kind is not None and kind.kind != "pictures":  # a generative model takes labelled images as well
            kind.check_kind(data.title, data.task_kind)


def model_kind(model: LightningModule | None, cfg: DictConfig) -> str | None:
    """The kind of task that a model, or the one that a config describes, supports; None where it does not tell."""
    return getattr(model if model is not None else target(cfg.model), "kind", None)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint as tensors and plain values; it cannot execute code.

    Raises:
        UserError: it is missing, damaged or not a checkpoint of dlcourse.
    """
    if not path.exists():
        raise UserError(f"{path} not found: the run has not saved a checkpoint")
    try:
        if not path.is_file():
            raise ValueError("no file")  # reading a pipe would block
        with warnings.catch_warnings(action="ignore"):  # torch's warnings about old formats
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file
        raise UserError(f"{path} is damaged or not a checkpoint ({type(error).__name__}): use another run") from None
    ours = checkpoint.get("dlcourse") if isinstance(checkpoint, dict) else None
    if not isinstance(ours, dict) or not isinstance(ours.get("schema"), int) or "state_dict" not in checkpoint:
        raise UserError(f"{path} is not a checkpoint of dlcourse: use one that train wrote")
    if ours["schema"] > SCHEMA:
        raise UserError(
            f"{path} was written by a later version of dlcourse (schema {ours['schema']}, this version reads "
            f"{SCHEMA}): install that version"
        )
    return checkpoint


def load_run(folder: Path, trust: str | Iterable[str] | None = ()) -> tuple[DictConfig, BaseModule]:
    """A run's config and its model with the best weights.

    Args:
        folder: of the run.
        trust: packages or full class names outside dlcourse that the run may build.

    Raises:
        UserError: the folder is not a run folder, or its parts do not belong together.
    """
    cfg = read_stored(folder / CONFIG, trust)
    path = weights_file(folder)
    kind = target(cfg.model) if cfg.get("model") else None
    if isinstance(kind, type) and issubclass(kind, LightningModule) and not issubclass(kind, BaseModule):
        raise UserError(
            f"{folder} is a run of the LightningModule {cfg.model._target_}, which dlcourse can only train and test: "
            f"load it with {kind.__name__}.load_from_checkpoint({str(path)!r})"
        )
    checkpoint = load_checkpoint(path)
    try:
        task = Task.from_dict(checkpoint["dlcourse"]["task"])
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path} does not contain a task: use a checkpoint that train wrote") from None
    model = build_model(cfg, task)
    try:
        model.load_state_dict(weights_of(checkpoint))
    except (RuntimeError, TypeError, AttributeError, KeyError, ValueError):
        raise UserError(
            f"{path} does not match the model in {folder / CONFIG}: use the checkpoint of that run"
        ) from None
    with suppress(UserError):  # a damaged result.json does not keep a model from loading
        before = read_result(folder)
        model.not_sure_below = finite(before.extra.get("not_sure_below")) or 0.0 if before is not None else 0.0
    return cfg, model.eval()


READER = Path(__file__).parents[1] / "clock_reader"  # the built-in one of the course's clock
ANY_READER = READER.with_name("any_clock_reader")  # the built-in one of any clock


def built_in(folder: Path = READER) -> Path:
    """The folder of the built-in reader.

    Raises:
        UserError: it is missing in this installation.
    """
    if not (folder / "weights.pt").exists():
        raise UserError(
            "the built-in reader is missing in this installation: pass run=DIR, or create one with "
            "python -m dlcourse.export run=DIR"
        )
    return folder


def any_clock_reader() -> BaseModule:
    """The built-in reader of any clock, which reads up to four clocks in an image.

    Raises:
        UserError: it is missing in this installation.
    """
    reader = load_run(built_in(ANY_READER))[1]
    reader.most = 4
    return reader
