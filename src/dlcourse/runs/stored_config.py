"""Reads a run's config.yaml without trusting it."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from dlcourse.config import CONF
from dlcourse.errors import UserError

LARGEST = 2**20  # bytes of a stored config; ours take some thousands
# Targets of runs that earlier versions wrote, and where they are now.
RENAMED = {
    "dlcourse.checkpoints.Last": "dlcourse.training.checkpoints.ResumeCheckpoint",
    "dlcourse.loggers.MetricsCSV": "dlcourse.training.csv_logger.MetricsCSV",
    "dlcourse.nets.pictures.Autoencoder": "dlcourse.nets.dcgan.Autoencoder",
    "dlcourse.nets.pictures.Discriminator": "dlcourse.nets.dcgan.Discriminator",
    "dlcourse.nets.pictures.Generator": "dlcourse.nets.dcgan.Generator",
    "dlcourse.optimizers.Muon": "dlcourse.training.optimizers.Muon",
    "dlcourse.schedules.constant": "dlcourse.training.schedules.constant",
    "dlcourse.schedules.cosine": "dlcourse.training.schedules.cosine",
    "dlcourse.schedules.exponential": "dlcourse.training.schedules.exponential",
    "dlcourse.schedules.one_cycle": "dlcourse.training.schedules.one_cycle",
    "dlcourse.schedules.plateau": "dlcourse.training.schedules.plateau",
    "dlcourse.schedules.triangular": "dlcourse.training.schedules.triangular",
    "dlcourse.trackers.MLflow": "dlcourse.training.trackers.mlflow.MLflow",
    "dlcourse.trackers.Wandb": "dlcourse.training.trackers.wandb.Wandb",
}


@cache
def buildable() -> frozenset[str]:
    """The exact names that a stored config may have built: every `_target_` in the shipped configs of runs."""
    files = [path for path in CONF.rglob("*.yaml") if path.relative_to(CONF).parts[0] != "hydra"]
    found = (re.findall(r"^\s*_target_:\s*([\w.]+)\s*$", path.read_text("utf8"), re.M) for path in files)
    return frozenset(name for names in found for name in names)


def read_stored(path: Path) -> DictConfig:
    """A run's config.yaml, which may come from somebody else: no interpolation, nothing but shipped names to build.

    Raises:
        UserError: it is missing or broken, or asks for something that is not shipped.
    """
    if not path.exists():
        raise UserError(f"{path.parent} is no run: it has no config.yaml")
    foreign = f"{path} is not a config that dlcourse wrote: take another run"
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise UserError(foreign)
    try:
        text = path.read_text("utf8")
        # An alias of aliases of aliases is a short text that fills the memory.
        known = not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))
        cfg = OmegaConf.create(text) if known else None
    except Exception as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}): take another run") from None
    if not isinstance(cfg, DictConfig) or not cfg:
        raise UserError(foreign)
    cfg = OmegaConf.create(_renamed(OmegaConf.to_container(cfg)))
    for name, value in _leaves(OmegaConf.to_container(cfg)):
        # YAML has other ways to write a dollar sign, so that the text alone tells nothing.
        if "${" in name or (isinstance(value, str) and "${" in value):
            raise UserError(f"{foreign} ({name} holds an interpolation)")
        key = name.rpartition(".")[2]
        if key == "_target_" and value not in buildable():
            raise UserError(f"{path} asks for {value}, which dlcourse does not ship: it is not built from a stored run")
        if key.startswith("_") and key not in ("_target_", "_partial_"):
            raise UserError(f"{path} asks for {key}, which dlcourse does not write: it is not built from a stored run")
    return cfg


def _renamed(node: Any) -> Any:
    """A stored config with today's targets."""
    if isinstance(node, dict):
        return {
            key: RENAMED.get(value, value) if key == "_target_" and isinstance(value, str) else _renamed(value)
            for key, value in node.items()
        }
    return [_renamed(item) for item in node] if isinstance(node, list) else node


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted names of all values, those in lists too."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if str(key).startswith("_"):
                yield f"{name}.{key}", value
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node
