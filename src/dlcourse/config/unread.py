"""Refuses keys that nothing reads: without an error they would be ignored silently."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from dlcourse.config.folders import CONF
from dlcourse.config.names import choices, config_groups, require
from dlcourse.config.suggestions import did_you_mean, siblings, suggest
from dlcourse.errors import UserError

# Keys of a model or data set that dlcourse reads itself; its class need not take them.
CONFIG_ONLY = {
    "model": frozenset({"name", "references", "epochs", "monitor", "monitor_mode"}),
    "data": frozenset({"name"}),
}
SPECIAL = frozenset({"_target_", "_partial_", "_recursive_", "_convert_", "_args_"})  # Hydra's own
TRAINER = "lightning.pytorch.Trainer"


def check_keys(cfg: DictConfig, verb: str = "train", overrides: Iterable[str] = ()) -> None:
    """Refuse a key that no object takes, no other key refers to and dlcourse does not read.

    A class with `**kwargs` takes what its base classes take; a class whose base classes have `**kwargs` as well takes
    anything.

    Args:
        cfg: a composed config. A stored one, which has the key `begun`, is not checked: its interpolations are
            resolved, and it was checked when the run began.
        verb: the command that it was composed for.
        overrides: words of the command line; other keys come from the model or a preset.

    Raises:
        UserError: names the key, what does not take it, and the nearest key or the remedy.
    """
    if "begun" in cfg:
        return
    whole: Any = OmegaConf.to_container(cfg, resolve=False)
    content = {str(k): v for k, v in whole.items() if k not in ("hydra", "overrides")}
    own: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{verb}.yaml"), resolve=False)
    groups = {str(group) for entry in own["defaults"] if isinstance(entry, dict) for group in entry}
    for group in ("model", "data"):
        if isinstance(content.get(group), dict) and "_target_" not in content[group]:
            require(DictConfig({}), group)
    found = _Search(content)
    found.keys("", content, f"dlcourse.{verb}", frozenset(own) | groups)
    listed = {str(key) for key in OmegaConf.load(CONF / "trainer" / "auto.yaml")}
    trainer = content.get("trainer") or {}
    if trainer.keys() - listed:  # Lightning takes seconds to import, and commands rarely use other keys
        found.object("trainer", {"_target_": TRAINER, **trainer})
    else:
        found.known |= {f"trainer.{key}" for key in trainer}
    for name, node in (content.get("methods") or {}).items():  # of embed
        found.keys(f"methods.{name}", node, name, frozenset(own["methods"].get(name, ())))
    for group in ("callbacks", "logger", "checkpoints"):
        for name, node in (content.get(group) or {}).items():
            if isinstance(node, dict) and "_target_" in node:
                found.object(f"{group}.{name}", node)
            elif isinstance(node, dict) and name in choices(group):
                raise UserError(f"{group}.{name} is set, but {name} is not chosen: add {group}={name}")
            elif isinstance(node, dict):
                owner = f"{group}.{name} has no _target_ and"
                found.unread += [(f"{group}.{name}.{key}", owner) for key in node]
    if found.unread:
        known = found.known | {group for group in config_groups() if group.partition("/")[0] in groups}
        raise UserError(_message(found.unread, known, overrides))


def parameters(target: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters of a class or function by name, and whether it takes any other keyword as well.

    If a class has `**kwargs`, the parameters of its base class are added. If every class up to the top has `**kwargs`,
    any keyword is accepted.
    """
    kinds = [c for c in inspect.getmro(target) if "__init__" in vars(c)] if inspect.isclass(target) else []
    found: dict[str, inspect.Parameter] = {}
    for function in [vars(kind)["__init__"] for kind in kinds if kind is not object] or [target]:
        taken = inspect.signature(function).parameters
        rest = {n for n, p in taken.items() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)} | {"self"}
        found = {name: parameter for name, parameter in taken.items() if name not in rest} | found
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
            return found, False
    return found, True


class _Search:
    """Collects the keys that something reads, and those that nothing reads with what does not take them."""

    def __init__(self, content: Mapping[str, Any]):
        self.references = frozenset(_references(content))
        self.known: set[str] = set()
        self.unread: list[tuple[str, str]] = []

    def object(self, name: str, node: Mapping[str, Any]) -> None:
        """Compare the keys of a node with the parameters of its `_target_`."""
        target = node["_target_"]
        if not isinstance(target, str) or "${" in target:
            return
        try:
            taken, anything = parameters(get_object(target))
        except (ImportError, ValueError) as error:
            cause = error.__cause__ or error
            said = f"{type(cause).__name__}: {' '.join(str(cause).split())}"
            raise UserError(
                f"{name}._target_={target} could not be imported ({said}): correct the name, install or repair its "
                "package, or set PYTHONPATH to its folder"
            ) from None
        # A parameter without a default is passed by dlcourse, such as the task.
        self.known |= {f"{name}.{key}" for key, parameter in taken.items() if parameter.default is not parameter.empty}
        names = frozenset(taken) | CONFIG_ONLY.get(name, frozenset())
        self.keys(name, node, target.rpartition(".")[2], None if anything else names)

    def keys(self, name: str, node: Mapping[str, Any], owner: str, taken: frozenset[str] | None) -> None:
        """Put each key of a node into `known` or `unread`; `taken` None: its owner accepts every key."""
        for key, value in node.items():
            full = f"{name}.{key}" if name else str(key)
            if taken is None or key in taken or key in SPECIAL or self._referred(full):
                self.known.add(full)
                if isinstance(value, dict) and "_target_" in value:
                    self.object(full, value)
            elif isinstance(value, dict) and any(other.startswith(f"{full}.") for other in self.references):
                self.keys(full, value, owner, frozenset())
            else:
                self.unread.append((full, owner))

    def _referred(self, key: str) -> bool:
        """Whether an interpolation reads the key or a node that contains it."""
        return any(key == other or key.startswith(f"{other}.") for other in self.references)


def _references(node: Any, name: Sequence[str] = ()) -> Iterator[str]:
    """The dotted keys that the interpolations below a node read."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _references(value, [*name, str(key)])
    elif isinstance(node, str) and "${" in node:
        plain = re.findall(r"\$\{(\.*[\w.\[\]]+)(?=[}$])", node)
        for found in [*plain, *re.findall(r"\$\{oc\.(?:select|dict\.keys|dict\.values):(\.*[\w.\[\]]+)", node)]:
            key = found.lstrip(".")
            dots = len(found) - len(key)
            above = list(name[:-dots]) if dots else []
            yield ".".join([*above, re.sub(r"\[(\w+)\]", r".\1", key).strip(".")])


def _message(unread: Sequence[tuple[str, str]], known: set[str], overrides: Iterable[str]) -> str:
    """One sentence about the keys that nothing reads."""
    typed = [word.partition("=")[0].lstrip("+") for word in overrides]
    for key, owner in unread:
        for word in typed:
            if word == key or word.startswith(f"{key}."):
                return f"unknown key {word}: {owner} does not take it{did_you_mean(word, known)}"
    key, owner = unread[0]
    keys = [other for other, _ in unread if other.rpartition(".")[0] == key.rpartition(".")[0]]
    near = suggest(key, siblings(key, known))
    remedy = " ".join(f"'~{other}'" for other in keys)
    return (
        f"{owner} does not take {', '.join(keys)}, set by the model or preset: add {remedy}"
        f"{f'; did you mean {near}?' if near else ''}"
    )
