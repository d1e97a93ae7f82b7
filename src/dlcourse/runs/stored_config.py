"""Reads the config.yaml of a run, which may come from an untrusted source."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from dlcourse.config import CONF, config_roots, plugins
from dlcourse.errors import UserError

LARGEST = 2**20  # bytes of a stored config; usual ones have a few thousand
# Targets in configs of earlier versions, and their present names.
RENAMED = {
    "lightning.pytorch.callbacks.EMAWeightAveraging": "dlcourse.training.ema.EMAWeightAveraging",
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
    """The names that a stored config may instantiate: every `_target_` in the shipped configs of runs."""
    files = [path for path in CONF.rglob("*.yaml") if path.relative_to(CONF).parts[0] != "hydra"]
    found = (re.findall(r"^\s*_target_:\s*([\w.]+)\s*$", path.read_text("utf8"), re.M) for path in files)
    return frozenset(name for names in found for name in names)


def read_stored(path: Path) -> DictConfig:
    """The config.yaml of a run, possibly from somebody else: no interpolations, only shipped names as targets.

    Raises:
        UserError: it is missing or damaged, or has a target that is not shipped.
    """
    trust = (trust,) if isinstance(trust, str) else tuple(trust or ())
    if not path.exists():
        raise UserError(f"{path.parent} is not a run folder: config.yaml not found")
    foreign = f"{path} is not a config that dlcourse wrote: use another run"
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise UserError(foreign)
    try:
        text = path.read_text("utf8")
        # Nested YAML aliases are a short text that can fill the memory.
        known = not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))
        cfg = OmegaConf.create(text) if known else None
    except Exception as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}): use another run") from None
    if not isinstance(cfg, DictConfig) or not cfg:
        raise UserError(foreign)
    cfg = OmegaConf.create(_renamed(OmegaConf.to_container(cfg)))
    for name, value in _leaves(OmegaConf.to_container(cfg)):
        # Checked after parsing, because YAML can escape the dollar sign in the text.
        if "${" in name or (isinstance(value, str) and "${" in value):
            raise UserError(f"{foreign} ({name} is an interpolation)")
        key = name.rpartition(".")[2]
        if key == "_target_" and value not in buildable():
            raise UserError(
                f"{path} asks for {value}, which is not part of dlcourse: it is not loaded from a stored run"
            )
        if key.startswith("_") and key not in ("_target_", "_partial_"):
            raise UserError(f"{path} asks for {key}, which dlcourse does not write: it is not loaded from a stored run")
    return cfg


def _renamed(node: Any) -> Any:
    """A stored config with the present names of its targets."""
    if isinstance(node, dict):
        return {
            key: RENAMED.get(value, value) if key == "_target_" and isinstance(value, str) else _renamed(value)
            for key, value in node.items()
        }
    return [_renamed(item) for item in node] if isinstance(node, list) else node


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted names and the values of all leaves, also those in lists."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if str(key).startswith("_"):
                yield f"{name}.{key}", value
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node
