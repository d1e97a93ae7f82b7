"""The one entry point: `python -m benchmarks [NAME ...] [--quick] [--list]`, from the checkout.

Every benchmark runs in a fresh process of its own, one after the other; then the whole table is printed and written
as JSON to outputs/benchmarks/<time>.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import table
from dlcourse.config import nearest
from dlcourse.errors import UserError
from dlcourse.runs.files import write_text

LONGEST = 3600  # seconds after which a benchmark is stopped; those that run by default take less than 180


def measure(name: str, quick: bool, folder: Path, words: list[str]) -> dict[str, Any]:
    """A benchmark's rows, from a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "rows.json"
        call = [sys.executable, "-m", "benchmarks.table", name, "quick" if quick else "full", str(output), *words]
        environment = table.clean_environment() | {"BENCHMARKS_OUT": str(folder)}
        try:
            subprocess.run(call, env=environment, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return {"rows": [], "error": f"it took longer than {LONGEST} s", "seconds": LONGEST}
        if not output.exists():
            return {"rows": [], "error": "its process ended before it had measured", "seconds": None}
        return json.loads(output.read_text("utf8"))


def main(arguments: list[str]) -> int:
    """Run what was asked for; gives the exit code."""
    known = table.names()
    default = [name for name, (_, runs) in known.items() if runs]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all but those that run by name alone if none")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that they work, and measures nothing")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--runs", nargs="*", default=[], metavar="DIR", help="run folders, for clock_time")
    parser.add_argument("--art", nargs="*", default=[], metavar="DIR", help="folders of clock artwork, for dials")
    parser.add_argument("--keep", default="", metavar="DIR", help="where to leave the pictures, for dials")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder of the JSON")
    asked = parser.parse_args(arguments)
    if asked.list:
        width = max(map(len, known))
        for name, (line, runs) in known.items():
            print(f"{name:{width}}  {line}{'' if runs else ' (by name alone)'}")
        return 0
    for name in asked.names:
        if name not in known:
            raise UserError(f"unknown benchmark {name}{nearest(name, known)}")
    if asked.runs and asked.names != ["clock_time"]:
        raise UserError("--runs is for clock_time alone: python -m benchmarks clock_time --runs DIR DIR")
    if (asked.art or asked.keep) and asked.names != ["dials"]:
        raise UserError("--art and --keep are for dials alone: python -m benchmarks dials --art DIR --keep DIR")
    words = [asked.keep, *asked.art] if asked.names == ["dials"] else asked.runs
    asked.output.mkdir(parents=True, exist_ok=True)
    chosen = asked.names or default
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    found = {"schema": 1, "when": stamp, "quick": asked.quick, "machine": table.machine(), "benchmarks": {}}
    pictures = asked.output / stamp
    for number, name in enumerate(chosen, 1):
        print(f"{number}/{len(chosen)} {name}", file=sys.stderr, flush=True)
        found["benchmarks"][name] = measure(name, asked.quick, pictures, words)
    parts = found["benchmarks"].items()
    rows = [row | {"what": f"{name}: {row['what']}"} for name, part in parts for row in part["rows"]]
    print(table.machine_line(found["machine"]))
    print(table.text_table(rows))
    path = asked.output / f"{stamp}.json"
    write_text(path, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    failed = {name: part["error"] for name, part in found["benchmarks"].items() if part["error"]}
    for name, error in failed.items():
        print(f"{name} failed: {error}", file=sys.stderr)
    busy = found["machine"]["load"]
    if not asked.quick and busy is not None and busy > 0.5:
        print(f"the machine was busy when this began (load {busy}): the figures may be off", file=sys.stderr)
    if asked.quick:
        print("tiny sizes: the figures mean nothing")
    print(f"Figures saved to {path}{f', plots to {pictures}' if pictures.exists() else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    table.leave_with(main)
