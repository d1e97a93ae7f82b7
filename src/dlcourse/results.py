"""What a run folder holds, and its result.json."""

import contextlib
import errno
import json
import os
import platform
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError

SCHEMA = 1
PART = ".part"  # how the name of a file ends that is being written
RESULT, CONFIG = "result.json", "config.yaml"
# The result of a sweep's job whose command was refused before it began.
UNSTARTED = {"schema": SCHEMA, "status": "failed", "metrics": {}, "references": [], "seconds": {}}


@contextlib.contextmanager
def replaced(path: Path) -> Generator[Path]:
    """A name beside a file's to write it under; it is renamed in the end, so that nobody ever reads half of it.

    Raises:
        UserError: the folder cannot be written or the disk is full; a file that was there before is as it was.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make its folder writable"
        raise UserError(f"{path} could not be written ({error.strerror or error}): {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def drop_parts(folder: Path) -> None:
    """Remove what a killed run had begun to write."""
    for part in folder.rglob(f".*{PART}"):
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    with replaced(path) as part:
        part.write_text(text, "utf8")


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write result.json; figures that are not finite become null, as JSON wants it."""
    write_text(folder / RESULT, json.dumps(_plain(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_result(folder: Path) -> dict[str, Any] | None:
    """A run's result.json, None where there is none.

    Raises:
        UserError: it cannot be read, or a later version wrote it.
    """
    try:
        result = json.loads((folder / RESULT).read_text("utf8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder / RESULT} cannot be read ({error}): delete it and run again with resume=true"
        ) from None
    schema = result.get("schema") if isinstance(result, dict) else None
    if not isinstance(schema, int) or not isinstance(result.get("status"), str):
        raise UserError(f"{folder / RESULT} is no result of a run: delete it and run again with resume=true")
    if schema > SCHEMA:
        raise UserError(
            f"{folder / RESULT} was written by a later dlcourse (schema {schema}, known is {SCHEMA}): install that one"
        )
    return result


def leading_metric(metrics: Iterable[str], references: Iterable[Mapping[str, Any]]) -> str | None:
    """The one of the metrics that a result is known by, None where there are none.

    What it is held against, else what it was tested on first, else what it was validated on; before others how near
    drawn pictures come to real ones.
    """
    metrics = list(metrics)
    held = [name for row in references if (name := row.get("metric")) in metrics]
    told = [name for name in metrics if not name.endswith("/loss")]
    drawn = [name for name in told if name.endswith("/frechet_distance")]
    ordered = [name for split in ("test/", "val/") for name in [*drawn, *told] if name.startswith(split)]
    return next(iter([*held, *ordered, *told, *metrics]), None)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def record_failure(job: Path, sentence: str, overrides: list[str]) -> None:
    """Say in the folder of a sweep's job, in result.json and train.log, why it failed, also before it began."""
    job.mkdir(parents=True, exist_ok=True)
    with (job / "train.log").open("a", encoding="utf8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} failed: {sentence}\n")
    try:
        before = read_result(job)
    except UserError:
        before = None
    if before is None or before["status"] != "completed":
        result = UNSTARTED | {"overrides": overrides} | (before or {})
        write_result(job, result | {"status": "failed", "error": sentence})


def unique_folder(parent: str, name: str) -> str:
    """The first free one of parent/name, parent/name-2 ..., made at once so that no other run gets it."""
    root = Path(parent)
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        candidate = name if number == 1 else f"{name}-{number}"
        try:
            (root / candidate).mkdir()
        except FileExistsError:
            number += 1
        else:
            return str(root / candidate)


def drop_empty(folder: Path) -> None:
    """Remove a run folder in which nothing came to lie, and what holds nothing else, up to outputs/."""
    with contextlib.suppress(OSError):
        while folder.name not in ("outputs", "") and folder != Path.cwd():
            folder.rmdir()
            folder = folder.parent


@cache
def versions(*more: str) -> dict[str, str]:
    """Versions of what a figure may depend on, and of `more` distributions."""
    from importlib.metadata import version

    found = {name: version(name) for name in ("dlcourse", "torch", "lightning", "hydra-core", "numpy", *more)}
    return {"python": platform.python_version()} | found


@cache  # the code is what was imported, so one answer is right for all runs of a process
def git_commit() -> str | None:
    """The checkout's commit, with `-dirty` where files differ from it; None outside of one."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None  # installed: the repository around it, if any, is somebody else's
    try:
        call = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
        found = subprocess.run(call, cwd=checkout, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
