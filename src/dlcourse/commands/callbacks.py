"""The callbacks that the config of a run describes."""

from pathlib import Path

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import DictConfig

from dlcourse.models.build import build


def configured_callbacks(
    cfg: DictConfig, folder: Path, has_validation: bool
) -> tuple[list[Callback], ModelCheckpoint | None]:
    """The callbacks in `callbacks` and `checkpoints` of a config, and the one that chooses the checkpoint to test.

    That one is `checkpoints.best`, else the first checkpoint callback with a metric.

    Args:
        cfg: config of the run.
        folder: the run folder.
        has_validation: whether the data has a validation split; without one, `checkpoints.best` is left out.
    """
    callbacks: list[Callback] = [build(node) for node in (cfg.get("callbacks") or {}).values() if node is not None]
    best: ModelCheckpoint | None = None
    for name, node in (cfg.get("checkpoints") or {}).items():
        if node is None or (name == "best" and not has_validation):
            continue
        callback = _checkpoint(node, folder)
        callbacks.append(callback)
        if isinstance(callback, ModelCheckpoint) and callback.monitor and (name == "best" or best is None):
            best = callback
    return callbacks, best


def _checkpoint(node: DictConfig, folder: Path) -> Callback:
    settings = node.copy()
    file = settings.get("filename")
    if settings.get("save_top_k", 1) != 1 and file is not None and "{" not in file:
        settings.filename = f"{file}-{{epoch}}-{{step}}"  # otherwise each checkpoint replaces the one before
    return build(settings, dirpath=str((folder / "checkpoints").absolute()))
