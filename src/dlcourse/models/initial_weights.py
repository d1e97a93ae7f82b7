"""Weights that a new run starts from: those of a run or a file (`init_from`), or a net's pretrained ones."""

import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.models.quantization import weights_of
from dlcourse.runs.folders import weights_file

SCALING = ("mean", "std")  # buffers that follow the new data
LISTED = 4  # names in a message
REMEDY = "pass a run folder, a checkpoint or a file of weights"


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and where they come from."""

    source: str
    tensors: dict[str, Tensor]


def initial_weights(cfg: DictConfig) -> Weights | None:
    """The weights that a config asks for: `init_from`, else those of a net with `pretrained: true`, else None.

    Raises:
        UserError: they were not found, or are not weights.
    """
    if cfg.get("init_from") is not None:
        return read_weights(Path(str(cfg.init_from)).expanduser())
    net: Any = OmegaConf.select(cfg, "model.net")
    if not OmegaConf.is_dict(net) or not net.get("pretrained"):
        return None
    pretrained_weights = getattr(get_object(net._target_), "pretrained_weights", None)
    if pretrained_weights is None:  # a net that loads its weights itself
        return None
    try:
        return Weights(f"pretrained {net.name}", pretrained_weights(net.name))
    except ValueError as error:
        raise UserError(str(error)) from None


def read_weights(path: Path) -> Weights:
    """The weights of a run folder, a checkpoint, or a file with a state dict; nothing in it is executed.

    Args:
        path: a run folder; a checkpoint of dlcourse or another Lightning program; a state dict written by
            `torch.save`, alone or as an entry `state_dict`, `model_state_dict` or `model`; a .safetensors file.

    Raises:
        UserError: it was not found, or is not one of these.
    """
    named = f"init_from={path}"
    file = path
    if path.is_dir():
        file = weights_file(path)
        if not file.is_file():
            raise UserError(f"{named} is not a run with weights ({file.relative_to(path)} not found): {REMEDY}")
    elif not path.exists():
        raise UserError(f"{named} not found: {REMEDY}")
    elif not path.is_file():
        raise UserError(f"{named} is not a file: {REMEDY}")
    if file.suffix == ".safetensors":
        return Weights(str(path), _safetensors(file, named))
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's warnings about old formats
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types
        if "weights_only" in str(error) and "GLOBAL" in str(error):
            raise UserError(
                f"{named} contains Python objects besides weights, which are not loaded because they can execute code: "
                "save its weights alone with torch.save(model.state_dict(), FILE)"
            ) from None
        raise UserError(f"{named} is damaged or not a file of weights ({type(error).__name__}): {REMEDY}") from None
    tensors = _state_dict(content)
    if not tensors:
        raise UserError(f"{named} does not contain tensors by name: {REMEDY}")
    return Weights(str(path), tensors)


def _state_dict(content: Any) -> dict[str, Tensor]:
    """The tensors by name in the content of a file; empty without any."""
    if not isinstance(content, dict):
        return {}
    if "dlcourse" in content and "state_dict" in content:
        return weights_of(content)
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content.get(key), dict):
            content = content[key]
    return {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _safetensors(file: Path, named: str) -> dict[str, Tensor]:
    try:
        load: Any = import_module("safetensors.torch").load_file
    except ImportError:
        raise UserError(f"{named} needs the package safetensors: uv sync --extra timm") from None
    try:
        return load(file)
    except Exception as error:
        raise UserError(f"{named} is damaged or not a safetensors file ({type(error).__name__}): {REMEDY}") from None


def start_from(model: nn.Module, weights: Weights) -> str:
    """Set all weights of a model that fit by name and shape.

    Prefixes such as `model.` may differ. `mean` and `std`, which scale the inputs, stay those of the new data. A moving
    average of the net (`average`) starts as a copy of it.

    Returns:
        One line that says which were taken, which start at random, and which were not used.

    Raises:
        UserError: no weight matrix fits, or a frozen weight is missing: it would stay random.
    """
    net, average = getattr(model, "net", None), getattr(model, "average", None)
    copied = {f"average.{name}" for name in average.state_dict()} if isinstance(average, nn.Module) else set()
    left_out = {*SCALING, *copied}
    own = {name: value for name, value in model.state_dict().items() if name not in left_out}
    given = {name: value for name, value in weights.tensors.items() if name not in left_out}
    pairs = _pairs(own, given)
    if not any(own[name].ndim > 1 for name in pairs):
        raise UserError(
            f"{weights.source} does not fit this model: {_shapes(given, given)} there, {_shapes(own, own)} here; "
            "choose weights of the same net"
        )
    parameters = {name: value for name, value in model.named_parameters() if name in own}
    frozen = {name: value for name, value in parameters.items() if not value.requires_grad and name not in pairs}
    if frozen:
        raise UserError(
            f"{weights.source} does not fit this net: {len(frozen)} weights that are not trained are missing there or "
            f"have another shape ({_shapes(frozen, own)}); choose weights of the same net"
        )
    model.load_state_dict({name: given[other] for name, other in pairs.items()}, strict=False)
    if isinstance(net, nn.Module) and isinstance(average, nn.Module):
        average.load_state_dict(net.state_dict())
    new = {name: value for name, value in parameters.items() if name not in pairs}
    unused = given.keys() - set(pairs.values())
    said = f"{weights.source}: {len(pairs)} of {len(own)} tensors taken"
    said += f"; start at random: {_shapes(new, own)}" if new else ""
    return said + (f"; not used: {_shapes({n: given[n] for n in given if n in unused}, given)}" if unused else "")


def _pairs(own: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, str]:
    """Own names with the given name of the same shape, under the two prefixes that give the most of them."""
    best: dict[str, str] = {}
    for ours in _prefixes(own):
        rest = {name: name.removeprefix(ours) for name in own if name.startswith(ours)}
        for theirs in _prefixes(given):
            found = {
                name: theirs + tail
                for name, tail in rest.items()
                if theirs + tail in given and given[theirs + tail].shape == own[name].shape
            }
            best = found if len(found) > len(best) else best
    return best


def _prefixes(names: dict[str, Tensor]) -> list[str]:
    """The empty one, and those that at least a quarter of the names have."""
    counts: dict[str, int] = {"": len(names)}
    for name in names:
        parts = name.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            prefix = ".".join(parts[:depth]) + "."
            counts[prefix] = counts.get(prefix, 0) + 1
    return [prefix for prefix, count in counts.items() if count >= len(names) / 4]


def _shapes(names: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """A short list of names with their shapes."""
    listed = [f"{name} [{'x'.join(map(str, tensors[name].shape))}]" for name in list(names)[:LISTED]]
    return ", ".join(listed) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
