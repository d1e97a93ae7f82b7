"""The result of a run in progress: its first values, and those that the steps add."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.runs.provenance import git_commit, versions
from dlcourse.runs.references import known_references, references
from dlcourse.runs.result import Result, read_result


class Record:
    """A result that the steps of a run update, with their times.

    Args:
        result: the first values.
    """

    def __init__(self, result: Result):
        self.result = result

    def update(self, **changes: Any) -> None:
        """Replace fields of the result."""
        self.result = self.result.updated(**changes)

    @contextmanager
    def timed(self, step: str) -> Generator[None]:
        """Add the wall time of the block to that of the step, in seconds, also if the block fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = self.result.seconds.get(step, 0) + time.perf_counter() - start
            self.result.seconds[step] = round(spent, 2)

    @contextmanager
    def counted(self) -> Generator[None]:
        """Add the CPU seconds of the block to those of earlier parts of the run, also if the block fails."""
        start = time.process_time()
        try:
            yield
        finally:
            spent = (self.result.cpu_seconds or 0) + time.process_time() - start
            self.update(cpu_seconds=round(spent, 1))


def first_result(cfg: DictConfig, model: Any, data: Any, folder: Path, begun: Mapping[str, Any]) -> Result:
    """The result of a run that has not trained yet: failed, until a step says otherwise.

    Args:
        cfg: of the run.
        model: that was given as an object, or None.
        data: the data module.
        folder: of the run; a resumed run adds to its earlier times.
        begun: `experiment`, `overrides` and `config_dir` of the command that started the run.
    """
    chosen = cfg.get("model") or {}
    before = read_result(folder)
    # A model may name rows that do not exist, such as G3-12 of twelve classes; only a preset's must exist.
    rows: Any = chosen.get("references", [])
    rows = rows.get(data.title, []) if OmegaConf.is_dict(rows) else rows  # by data set
    given: Any = cfg.references or []
    ids = ([given] if isinstance(given, str) else list(given)) or known_references(rows)
    return Result(
        "train",
        "failed",
        experiment=begun["experiment"],
        model=chosen.get("name", type(model).__name__),
        data=data.title,
        rendered=data.rendered,
        references=references(ids),
        seed=cfg.seed,
        seconds=dict(before.seconds) if before else {},
        cpu_seconds=before.cpu_seconds if before else None,
        versions=versions(),
        git=git_commit(),
        overrides=list(begun["overrides"]),
        config_dir=begun.get("config_dir"),
    )
