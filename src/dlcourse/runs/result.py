"""result.json as one dataclass, which all commands write and all readers use."""

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dlcourse.config import config_dir_flags, shell_command
from dlcourse.errors import UserError
from dlcourse.runs.files import write_text

SCHEMA = 1
RESULT, CONFIG = "result.json", "config.yaml"


@dataclass(frozen=True)
class Result:
    """The content of result.json. Values that a command does not know are None or empty.

    Attributes:
        verb: the command that wrote it: train, evaluate, sample, embed or export.
        status: completed, pruned, failed or interrupted.
        experiment: the preset, None without one.
        model, data: names of the model and the data set.
        rendered: whether the metrics are of rendered images.
        metrics: by `<split>/<name>`.
        references: reported results that the run is compared with: id, metric, value, better.
        parameters: number of trainable parameters.
        checkpoint_mb: size of the best checkpoint.
        seconds: wall time of each step.
        cpu_seconds: CPU time of training and test alone.
        processor: name of the CPU where the device is the CPU.
        config_dir: the folder that `--config-dir` named.
        error: one sentence where the run failed.
        run: the run folder that was evaluated, sampled or mapped.
        samples: number of samples that were tested, mapped or generated.
        features: the feature space of distances between images.
        compared: number of images that the distances are computed from.
        bits: per weight of an exported run.
        extra: keys that this version does not know; they are preserved.
    """

    verb: str
    status: str
    experiment: str | None = None
    model: str | None = None
    data: str | None = None
    rendered: bool = False
    metrics: dict[str, float | None] = field(default_factory=dict)
    references: list[dict[str, Any]] = field(default_factory=list)
    parameters: int | None = None
    checkpoint_mb: float | None = None
    seed: int | None = None
    epochs: int | None = 0
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float | None = None
    device: str | None = None
    processor: str | None = None
    precision: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    git: str | None = None
    overrides: list[str] = field(default_factory=list)
    config_dir: str | None = None
    error: str | None = None
    run: str | None = None
    samples: int | None = None
    features: str | None = None
    compared: Any = None
    bits: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command line that made it."""
        return self.command_with(self.overrides)

    def command_with(self, words: Iterable[object], verb: str | None = None) -> str:
        """A command with other words, with the same `--config-dir`; `verb`: another command."""
        flags = config_dir_flags(self.config_dir)
        return shell_command(["python", "-m", f"dlcourse.{verb or self.verb}", *flags, *map(str, words)])

    @property
    def trial(self) -> bool:
        """Whether it was made with debug=fast, so that its metrics mean nothing."""
        return any(str(word).startswith("debug=") and word != "debug=null" for word in self.overrides)

    def updated(self, **changes: Any) -> "Result":
        """A copy with other values; names that are not fields go to `extra`."""
        names = {f.name for f in fields(self)}
        extra = self.extra | {key: value for key, value in changes.items() if key not in names}
        return replace(self, **{key: value for key, value in changes.items() if key in names} | {"extra": extra})

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without optional keys that are None."""
        found: dict[str, Any] = {"schema": SCHEMA} | {f.name: getattr(self, f.name) for f in fields(self)}
        extra = found.pop("extra")
        for name in ("processor", "config_dir", "run", "samples", "features", "compared", "bits"):
            if found[name] is None:
                del found[name]
        return found | extra

    @classmethod
    def from_dict(cls, raw: Any) -> "Result":
        """The inverse of `to_dict`, also for results of earlier versions, which do not contain the command.

        Raises:
            ValueError: it is not a result; the message completes the sentence "FILE ...".
        """
        if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
            raise ValueError("is not a result of dlcourse")
        if raw["schema"] > SCHEMA:
            raise ValueError(
                f"was written by a later version of dlcourse (schema {raw['schema']}, this version reads {SCHEMA}): "
                "install that version"
            )
        for name, kind in (("status", str), ("metrics", dict), ("references", list), ("overrides", list),
                           ("seconds", dict)):  # fmt: skip
            if not isinstance(raw.get(name) or kind(), kind) or (name == "status" and name not in raw):
                raise ValueError(f"is not a result of dlcourse: {name} is missing or has the wrong type")
        if not all(isinstance(row, dict) and "id" in row for row in raw.get("references") or []):
            raise ValueError("is not a result of dlcourse: a reference without id")
        names = {f.name for f in fields(cls)} - {"extra"}
        known = {key: value for key, value in raw.items() if key in names}
        for name, kind in (("metrics", dict), ("references", list), ("overrides", list), ("seconds", dict)):
            known[name] = known.get(name) or kind()
        known.setdefault("verb", _verb(raw))
        # not recorded by earlier versions
        known["rendered"] = bool(known.get("rendered", known.get("data") in ("clocks", "toons")))
        return cls(**known, extra={key: raw[key] for key in raw if key not in {*names, "schema"}})


def _verb(raw: Mapping[str, Any]) -> str:
    """The command that wrote a result of an earlier version."""
    if "bits" in raw:
        return "export"
    if "samples" in raw:
        return "embed"
    return "evaluate" if raw.get("run") else "train"


def write_result(folder: Path, result: Result) -> None:
    """Write result.json; non-finite numbers become null, because JSON cannot represent them."""
    text = json.dumps(_finite(result.to_dict()), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / RESULT, text + "\n")


def read_file(path: Path, remedy: str = "") -> Result:
    """The result in a JSON file; `remedy` completes the message about a damaged one.

    Raises:
        FileNotFoundError: it does not exist.
        UserError: it cannot be read, or a later version wrote it.
    """
    try:
        return Result.from_dict(json.loads(path.read_text("utf8")))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    except (ValueError, RecursionError) as error:
        wrong = str(error) if str(error).startswith(("is not", "was written")) else f"cannot be read ({error})"
        raise UserError(f"{path} {wrong}{'' if 'install' in wrong else remedy}") from None


def read_result(folder: Path) -> Result | None:
    """A run's result, None if result.json does not exist.

    Raises:
        UserError: it cannot be read, or a later version wrote it.
    """
    try:
        return read_file(folder / RESULT, ": move it away and run again with resume=true")
    except FileNotFoundError:
        return None


def keep_result(folder: Path) -> None:
    """Copy the result of a completed run beside it, as result_N_epochs.json, before a longer training replaces it."""
    result = read_result(folder)
    if result is not None and result.status == "completed":
        path = folder / f"result_{result.epochs}_epochs.json"
        write_text(path, (folder / RESULT).read_text("utf8"))


def earlier_results(folder: Path) -> list[Result]:
    """The results that `keep_result` has kept, fewest epochs first; files that cannot be read are left out."""
    found = []
    for path in folder.glob("result_*_epochs.json"):
        with contextlib.suppress(FileNotFoundError, UserError):
            found.append(read_file(path))
    return sorted(found, key=lambda result: result.epochs or 0)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def record_failure(job: Path, sentence: str, overrides: list[str], verb: str) -> None:
    """Record in a sweep job's result.json and train.log why it failed, even if it did not start."""
    job.mkdir(parents=True, exist_ok=True)
    if not (job / "train.log").is_symlink():  # it may lead to any file, see `commands.train`
        with (job / "train.log").open("a", encoding="utf8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} failed: {sentence}\n")
    try:
        before = read_result(job)
    except UserError:
        before = None
    if before is None or before.status != "completed":
        result = before or Result(verb, "failed", overrides=overrides)
        write_result(job, replace(result, status="failed", error=sentence))
