"""Published results: copies of result.json in outputs/published, and the hardware that measured them."""

import re
from fnmatch import fnmatch
from pathlib import Path

import yaml

from dlcourse.errors import UserError
from dlcourse.reporting.collect import Run, read_run
from dlcourse.runs.files import write_text
from dlcourse.runs.result import RESULT

PUBLISHED = Path("outputs/published")
# The folders of a path in a result: in a word such as "data.path='/home/me/x.npz'", or that of --config-dir.
PATH = r"(\"(?:\+*[\w.]+='?|config_dir\": \"))(?:~|[A-Za-z]:)?[\\/][^\"']*[\\/]"
HARDWARE = "hardware.yaml"  # in that folder: the processor of results that did not record it


def groups(folder: Path = PUBLISHED) -> dict[str, list[Run]]:
    """Published results by name, seeds grouped: `mnist_fast` of `mnist_fast_seed0.json` and so on.

    Raises:
        UserError: one of them cannot be read.
    """
    found: dict[str, list[Run]] = {}
    for path in sorted(folder.glob("*.json")):
        found.setdefault(re.sub(r"_seed\d+$", "", path.stem), []).append(read_run(path))
    return found


def hardware(run: Run, folder: Path = PUBLISHED) -> str:
    """The hardware of a run: the name of a GPU, or of a processor, short if `HARDWARE` names it; empty if unknown."""
    device, processor = run.result.device or "cpu", run.result.processor
    if device != "cpu":
        return device
    path = folder / HARDWARE
    patterns: dict[str, list[str]] = yaml.safe_load(path.read_text("utf8")) if path.is_file() else {}
    if processor is not None:
        return next((name for name in patterns if name in processor), processor)
    stem = Path(run.name).stem
    return next((name for name, globs in patterns.items() if any(fnmatch(stem, glob) for glob in globs)), "")


def publish(run: Path) -> Path:
    """Copy a completed run's result.json to outputs/published, under its preset's name or its model's and data's.

    Only the last part of each path in its command is kept, so that the folders of the user are not published.

    Raises:
        UserError: the run is not completed or was made with debug=fast, or another result has that name.
    """
    if not (run / RESULT).is_file():
        raise UserError(f"publish: {run} is not a completed run: {RESULT} not found")
    found = read_run(run / RESULT)
    if found.result.status != "completed" or found.trial:
        state = "made with debug=fast" if found.trial else found.result.status
        raise UserError(f"publish: {run} is {state}: publish a completed run")
    name = found.result.experiment or f"{found.result.model}_{found.result.data}"
    stem = re.sub(r"[^\w]+", "_", str(name))
    path = PUBLISHED / f"{stem}_seed{found.result.seed}.json"
    text = re.sub(PATH, r"\1", (run / RESULT).read_text("utf8"))
    if path.exists() and path.read_text("utf8") != text:
        raise UserError(f"publish: {path} already exists with other metrics: move it away to replace it")
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path
