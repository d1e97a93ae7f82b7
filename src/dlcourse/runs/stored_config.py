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
    "dlcourse.models.autoencoder.VAE": "dlcourse.models.vae.VAE",
    "dlcourse.models.clock_transfer.TransferReader": "dlcourse.models.clock.ClockReader",
    "dlcourse.models.pretrained.TransferClassifier": "dlcourse.models.classifier.Classifier",
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


# Arguments of earlier versions by target, and their present names; None: dropped.
RENAMED_KEYS: dict[str, dict[str, str | None]] = {
    "dlcourse.checkpoints.Last": {"filename": None},
    "dlcourse.training.checkpoints.ResumeCheckpoint": {"filename": None},
    "dlcourse.models.gan.GAN": {"codes": None, "code_weight": None},
    "dlcourse.nets.transfer.Transfer": {"backbone": "name", "trained": "train", "init_from": None},
}


@cache
def _targets_in(root: Path) -> frozenset[str]:
    """Every `_target_` in the YAML files of runs below a config folder."""
    files = [path for path in root.rglob("*.yaml") if path.relative_to(root).parts[0] != "hydra"]
    found = (re.findall(r"^\s*_target_:\s*([\w.]+)\s*$", path.read_text("utf8"), re.M) for path in files)
    return frozenset(name for names in found for name in names)


def buildable() -> frozenset[str]:
    """The exact names that a stored config may build: every `_target_` that a YAML of this command's folders names."""
    return frozenset().union(*map(_targets_in, config_roots()))


def targets(cfg: DictConfig) -> list[str]:
    """Every `_target_` in a config, in order, each once."""
    found = _leaves(OmegaConf.to_container(cfg))
    return list(dict.fromkeys(str(value) for name, value in found if name.rpartition(".")[2] == "_target_"))


def foreign_targets(cfg: DictConfig) -> list[str]:
    """The names that a config builds and that reloading its run allows only with `trust`.

    Names from `--config-dir` are among them, since the next command may not have that option.
    """
    known = frozenset().union(*map(_targets_in, (CONF, *(plugin.conf for plugin in plugins()))))
    return [name for name in targets(cfg) if name not in known and not _trusted(name, _plugin_modules())]


def trust_needed(names: Iterable[str]) -> str:
    """The option that allows names to be built: `trust=[mypackage]`, library classes by their full name."""
    libraries = ("torch", "lightning", "torchvision", "torchmetrics", "builtins", "os", "subprocess", "hydra")
    tops = [name if name.partition(".")[0] in libraries else name.partition(".")[0] for name in names]
    return f"trust=[{','.join(dict.fromkeys(tops))}]"


def _plugin_modules() -> tuple[str, ...]:
    return tuple(plugin.module for plugin in plugins())


def _trusted(target: str, trust: Iterable[str]) -> bool:
    """Whether a name is trusted itself, or is a class or function defined in a trusted package.

    A name that a trusted package merely imports, such as `mypackage.os.system`, is not.
    """
    trust = tuple(trust)
    if target in trust:
        return True
    inside = [name for name in trust if target.startswith(f"{name}.")]
    if not inside:
        return False
    module, _, name = target.rpartition(".")
    try:
        home = getattr(import_module(module), name).__module__
    except Exception as error:
        raise UserError(
            f"{target} could not be imported ({type(error).__name__}: {error}): install or repair its package, or "
            "set PYTHONPATH to its folder"
        ) from None
    return any(home == package or home.startswith(f"{package}.") for package in inside)


def read_stored(path: Path, trust: str | Iterable[str] | None = (), *, builds: bool = True) -> DictConfig:
    """A run's config.yaml, which may come from somebody else: no interpolation, only known names to build.

    Args:
        path: of the file.
        trust: packages or full names of classes that it may build besides those that dlcourse ships, those of
            installed plugins and those of the command's config folder.
        builds: whether objects are built from it; otherwise the names are not checked.

    Raises:
        UserError: it is missing or broken, or it builds a name that is not trusted.
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
        if key.startswith("_") and key not in ("_target_", "_partial_"):
            raise UserError(f"{path} asks for {key}, which dlcourse does not write: it is not loaded from a stored run")
    if builds:
        known, allowed = buildable(), (*trust, *_plugin_modules())
        names = [name for name in targets(cfg) if name not in known and not _trusted(name, allowed)]
        if names:
            raise UserError(
                f"{path} asks for {', '.join(names)}, not part of dlcourse: it is not loaded from a stored run "
                f"without {trust_needed(names)}; add that only if you trust the author of the run"
            )
    return cfg


def _renamed(node: Any) -> Any:
    """A stored config with the present names of its targets and their arguments."""
    if isinstance(node, dict):
        keys = RENAMED_KEYS.get(str(node.get("_target_")), {})
        return {
            name: RENAMED.get(value, value) if key == "_target_" and isinstance(value, str) else _renamed(value)
            for key, value in node.items()
            if (name := keys.get(key, key)) is not None
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
