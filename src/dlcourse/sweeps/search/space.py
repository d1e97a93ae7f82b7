"""The search space: `search.space` has the structure of the config, with ranges or choices as leaves."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse import config
from dlcourse.errors import UserError
from dlcourse.runs.keys import keys_of

WORDS = (
    "low",
    "high",
    "log",
    "step",
    "choices",
)  # keys that describe a parameter; any other key is a level of the config


@dataclass(frozen=True)
class Parameter:
    """One value that a search chooses.

    Args:
        key: as on the command line: `model.optimizer.lr`, or `model/optimizer` for a group.
        choices: the values, as on the command line; empty for a range.
        low, high: the ends of a range, whole numbers where both are.
        log: whether a range is drawn from by orders of magnitude.
        step: between the values of a range; None: any value, or any whole one.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None

    def suggest(self, trial: Any) -> str:
        """The override for the value that an Optuna trial proposes."""
        if self.choices:
            return f"{self.key}={trial.suggest_categorical(self.key, self.choices)}"
        if isinstance(self.low, int) and isinstance(self.high, int):
            return f"{self.key}={trial.suggest_int(self.key, self.low, self.high, log=self.log, step=self.step or 1)}"
        return f"{self.key}={trial.suggest_float(self.key, self.low, self.high, log=self.log, step=self.step):.4g}"


def read_space(cfg: DictConfig, given: Iterable[str]) -> list[Parameter]:
    """The parameters of `cfg.search.space`, without those that the command line fixes.

    Args:
        cfg: the composed config.
        given: keys that have their value: `model.optimizer.lr`, `model/optimizer`.

    Raises:
        UserError: a key is unknown, a range is empty, or the space is empty.
    """
    node = OmegaConf.to_container(cfg.search.get("space") or OmegaConf.create(), resolve=True)
    assert isinstance(node, dict)
    known = [key for key in keys_of(cfg) if key.partition(".")[0] not in ("search", "hydra")]
    fixed = set(given)
    found = [parameter for parameter in _parameters(node, "", known) if parameter.key not in fixed]
    if not found:
        raise UserError("search.space is empty: add a key with a range, for example model.optimizer.lr")
    return found


def _parameters(node: Mapping[Any, Any], prefix: str, known: list[str]) -> list[Parameter]:
    found = []
    described = {word: node[word] for word in WORDS if word in node and not isinstance(node[word], dict)}
    if described and prefix:
        found.append(_parameter(prefix, described, known))
    for name, inner in node.items():
        if name in described and prefix:
            continue
        key = f"{prefix}.{name}" if prefix else str(name)
        if not isinstance(inner, dict):
            where = f"search.space.{key}"
            raise UserError(
                f"{where}={inner} is neither a range nor choices: use {{low: 0, high: 1}} or {{choices: [0, 1]}}"
            )
        found += _parameters(inner, key, known)
    return found


def _parameter(key: str, described: dict[str, Any], known: list[str]) -> Parameter:
    group = key.replace(".", "/")
    names = config.choices(group) if (config.CONF / group).is_dir() else []
    if key not in known and not names:
        raise UserError(f"search.space: unknown key {key}{config.nearest(key, known)}")
    if "choices" in described:
        choices = described["choices"]
        if not isinstance(choices, list) or not choices or len(described) > 1:
            raise UserError(f"search.space.{key} needs a list of choices only, for example {{choices: [0, 1]}}")
        for name in choices if names else ():
            if name not in names:
                raise UserError(f"search.space: {group}={name} is unknown{config.nearest(str(name), names)}")
        return Parameter(group if names else key, tuple(dict.fromkeys(map(as_word, choices))))
    return _range(key, described)


def _range(key: str, described: dict[str, Any]) -> Parameter:
    where = f"search.space.{key}"
    low, high, step = (described.get(word) for word in ("low", "high", "step"))
    low, high = _number(where, "low", low), _number(where, "high", high)
    step = None if step is None else _number(where, "step", step)
    log = bool(described.get("log", False))
    if low > high:
        raise UserError(f"{where}: low={low} is above high={high}: swap them")
    if log and low <= 0:
        raise UserError(f"{where}: log needs low above 0, but low={low}: raise it, or leave log out")
    if step is not None and (step <= 0 or log):
        raise UserError(
            f"{where}: step={step} must be above 0 and cannot be combined with log: change it, or leave it out"
        )
    if not all(isinstance(number, int) for number in (low, high, step) if number is not None):
        low, high = float(low), float(high)
    return Parameter(key, (), low, high, log, step)


def _number(where: str, word: str, value: Any) -> float:
    """The value as a number; integers stay integers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"{where}: {word}={value} is not a number: pass low and high, for example {{low: 0, high: 1}}")
    return value


def as_word(value: Any) -> str:
    """A value in the notation of the command line: `[[64,128]]`, `true`, `'a b'`."""
    if isinstance(value, list):
        return f"[{','.join(map(as_word, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{as_word(item)}' for key, item in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    if isinstance(value, str) and not all(sign.isalnum() or sign in "_-./" for sign in text):
        return "'" + text.replace("'", r"\'") + "'"
    return text


def plain(space: Iterable[Parameter]) -> dict[str, dict[str, Any]]:
    """A space as plain values, which are stored with the study."""
    return {p.key: {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(p).items()} for p in space}
