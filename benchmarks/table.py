"""What the benchmarks share: a row of the table, the machine that it was measured on, and one benchmark in a process.

A benchmark is a module of this folder with a function `rows(quick)`, a generator of `Row`; a module that says
`DEFAULT = False` runs when it is named and not otherwise. Heavy libraries are imported within the function.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from dlcourse.errors import UserError

HERE = Path(__file__).parent
HELPERS = {"__init__", "__main__", "table", "fits", "rivals", "gpu", "dial_art", "web_dials"}
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # flags of /proc/cpuinfo; float32 speed, bfloat16 speed
PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy", "scikit-learn", "openTSNE", "umap-learn")
COLUMNS = ("what", "ours", "against", "theirs", "figure", "goal", "")


@dataclass
class Row:
    """One comparison.

    Args:
        what: was measured.
        ours: our figure, in `unit`.
        unit: of both figures.
        against: whom we are compared with; empty for a figure of our own.
        theirs: their figure.
        value: what the goal is about, such as a ratio; with its `kind` ("times", "ms a step").
        least, most: the goal: at least, or at most, so much.
        more: figures beside these, for the JSON alone.
    """

    what: str
    ours: float
    unit: str = ""
    against: str = ""
    theirs: float | None = None
    value: float | None = None
    kind: str = "times"
    least: float | None = None
    most: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def goal(self) -> str:
        """The goal in words; empty where there is none."""
        if self.least is None and self.most is None:
            return ""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    @property
    def held(self) -> bool | None:
        """Whether the goal was reached; None where there is none."""
        if self.value is None or not self.goal:
            return None
        return self.value >= self.least if self.least is not None else self.value <= (self.most or 0)

    def as_dict(self) -> dict[str, Any]:
        """For the JSON."""
        return asdict(self) | {"goal": self.goal, "held": self.held}


def rate(what: str, ours: float, against: str, theirs: float, unit: str, **more: Any) -> Row:
    """A row of two speeds, more is better: its value is how many times the other's ours is."""
    return Row(what, ours, unit, against, theirs, ours / theirs, **more)


def spent(what: str, ours: float, against: str, theirs: float, unit: str = "s", **more: Any) -> Row:
    """A row of two costs, less is better: its value is how many times ours the other's is."""
    return Row(what, ours, unit, against, theirs, theirs / ours, **more)


def names() -> dict[str, tuple[str, bool]]:
    """Every benchmark's first line of documentation, and whether it runs unless asked for; nothing is imported."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.stem in HELPERS:
            continue
        tree = ast.parse(path.read_text("utf8"))
        by_name = any(
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULT" and not node.value.value  # ty: ignore
            for node in tree.body
        )
        found[path.stem] = ((ast.get_docstring(tree) or "").partition("\n")[0], not by_name)
    return found


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, threads, versions, and how busy the machine was."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "processor": name or platform.processor() or platform.machine(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def machine_line(found: Mapping[str, Any]) -> str:
    """The processor, its vector and matrix instructions and the usable cores, to print above a table."""
    known = ", ".join(found["instructions"]) or "none of " + ", ".join(INSTRUCTIONS)
    return f"{found['processor']}, {found['usable_cores']} cores, instructions: {known}"


def text_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows, as `Row.as_dict` gives them, in columns."""
    lines = [list(COLUMNS)]
    for row in rows:
        value = "" if row["value"] is None else f"{number(row['value'])} {row['kind']}"
        held = {True: "held", False: "MISSED", None: ""}[row["held"]]
        theirs = "" if row["theirs"] is None else f"{number(row['theirs'])} {row['unit']}"
        ours = f"{number(row['ours'])} {row['unit']}"
        lines.append([row["what"], ours, row["against"], theirs, value, row["goal"], held])
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def number(value: float) -> str:
    """Three digits that count, large numbers whole and in groups."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def clean_environment() -> dict[str, str]:
    """The environment of a measurement: one thread unless the benchmark asks torch for more, the sources found."""
    more = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    path = os.pathsep.join(filter(None, [str(HERE.parent), str(HERE.parent / "src"), os.environ.get("PYTHONPATH")]))
    return os.environ | more | {"PYTHONPATH": path}


def measured(code: str, *words: str, folder: Path | str | None = None) -> tuple[float, float, str]:
    """Wall and processor seconds of `python -c CODE WORDS...`, in the clean environment, and what it printed."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=clean_environment(), capture_output=True, text=True
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"a measured process failed: {done.stderr.strip()[-500:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def leave_with(main: Callable[[list[str]], int]) -> NoReturn:
    """End the process with a command's exit code; a mistake of the user's is one sentence and exit code 1."""
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def one(name: str, quick: bool, output: Path, words: list[str]) -> None:
    """Run a benchmark in this process and write its rows; an error is part of what is written."""
    start = time.perf_counter()
    found: dict[str, Any] = {"rows": [], "error": None}
    try:
        module = importlib.import_module(f"benchmarks.{name}")
        for row in module.rows(quick, *words):
            found["rows"].append(row.as_dict())
            print(text_table([found["rows"][-1]]).splitlines()[1], file=sys.stderr, flush=True)
    except UserError as error:
        found["error"] = str(error)
    except Exception as error:
        traceback.print_exc()
        found["error"] = f"{type(error).__name__}: {error}"
    found["seconds"] = round(time.perf_counter() - start, 1)
    output.write_text(json.dumps(found, default=float), "utf8")


if __name__ == "__main__":
    one(sys.argv[1], sys.argv[2] == "quick", Path(sys.argv[3]), sys.argv[4:])
