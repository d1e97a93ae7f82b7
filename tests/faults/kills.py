"""Kills tiny runs of every family at random moments, goes on with them and compares their ends, bit for bit.

`python -m tests.faults.kills [POINTS] [SEED] [FAMILY ...]` prints how many of POINTS (25) kills a family held. A
process that has imported everything forks one for each run, so that a kill costs seconds. Each point is drawn with its
kind: SIGKILL at any time, in a validation, in the test, or in the writing of a file: half-way, before or after the
rename; SIGTERM and SIGINT at any time.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from tests.families import COMMON, FAMILIES, differences

TIMED = {"any time": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
PLACES = ("validation", "test", "half written", "before rename", "after rename")
KINDS = (*TIMED, "any time", "any time", *PLACES)  # SIGKILL at any time three times as often
STARTED = "started"  # written when the training begins: what comes before is imports and data


class Places:
    """Counts how often a run comes by each place, and kills it at one of them."""

    def __init__(self, place: str | None = None, number: int = 0):
        self.place, self.number, self.passed = place, number, Counter[str]()

    def come_by(self, place: str) -> bool:
        """Whether it is to end here."""
        self.passed[place] += 1
        return place == self.place and self.passed[place] == self.number

    def watch(self) -> None:
        """Put the places into the functions of this process."""
        from dlcourse.models.base import BaseModule
        from dlcourse.models.generative import Generative

        def before(owner: Any, name: str, place: str) -> None:
            original = getattr(owner, name)

            def call(*args: Any, **more: Any) -> Any:
                if self.come_by(place):
                    kill()
                return original(*args, **more)

            setattr(owner, name, call)

        for family in (BaseModule, Generative):
            before(family, "validation_step", "validation")
            before(family, "test_step", "test")
        fsync, replace = os.fsync, Path.replace

        def half(file: int) -> None:
            if self.come_by("half written"):
                os.ftruncate(file, os.fstat(file).st_size // 2)
                kill()
            fsync(file)

        def rename(path: Path, target: Path) -> Path:
            if self.come_by("before rename"):
                kill()
            found = replace(path, target)
            if self.come_by("after rename"):
                kill()
            return found

        os.fsync, Path.replace = half, rename  # ty: ignore[invalid-assignment]


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def start(words: list[str], folder: Path, places: Places) -> int:
    """A forked process that runs, or goes on with, the run of a folder; gives its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        folder.mkdir(exist_ok=True)
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        code = run_here(words, folder, places)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def run_here(words: list[str], folder: Path, places: Places) -> int:
    from dlcourse.commands.train import run
    from dlcourse.config import compose
    from dlcourse.errors import Stopped
    from dlcourse.training.checkpoints import Stop

    listening = Stop.listening

    def begun(self: Stop) -> Any:
        (folder.parent / STARTED).touch()
        return listening(self)

    Stop.listening = begun
    places.watch()
    try:
        run(compose(*words), folder=folder, resume=True)
    except Stopped as stop:
        return 128 + stop.signum
    (folder.parent / f"{folder.name}.json").write_text(json.dumps(places.passed))
    return 0


def wait_for(path: Path, child: int) -> None:
    """Until the training of a child begins, or it has ended."""
    while not path.exists() and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.001)


def ended(child: int) -> int:
    """Its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(words: list[str], folder: Path, kind: str, draws: random.Random, seconds: float, passed: Counter) -> str:
    """One run up to its kill; tells where that was, or nothing if the run was faster."""
    (folder.parent / STARTED).unlink(missing_ok=True)
    number = draws.randint(1, passed[kind]) if kind in PLACES else 0
    child = start(words, folder, Places(kind, number))
    if kind in TIMED:
        wait_for(folder.parent / STARTED, child)
        delay = draws.uniform(0, seconds)
        time.sleep(delay)
        os.kill(child, TIMED[kind])  # where it has ended it is still there, not waited for
    code = ended(child)
    wanted = {128 + TIMED[kind], 0} if kind in ("SIGTERM", "SIGINT") else {-signal.SIGKILL, 0}
    assert code in wanted, (code, (folder.parent / f"{folder.name}.log").read_text()[-3000:])
    return f"{kind}{f' {number}' if number else f' {delay:.2f} s'}" if code else ""


def try_family(name: str, points: int, seed: int, work: Path) -> tuple[int, list[str]]:
    """How many of the points held, and what went wrong at the others."""
    draws = random.Random(f"{name} {seed}")
    words = [*FAMILIES[name], *COMMON, "trainer.max_epochs=3", "checkpoints.last.minutes=0.0005"]
    whole = work / "whole"
    assert not ended(start(words, work / "first", Places())), (work / "first.log").read_text()  # renders, and warms up
    (work / STARTED).unlink()
    child = start(words, whole, Places())
    wait_for(work / STARTED, child)
    begun = time.monotonic()
    assert not ended(child)
    seconds, held, lost = time.monotonic() - begun, 0, []
    passed = Counter(json.loads((work / "whole.json").read_text()))
    lost += [f"undisturbed: {found}" for found in differences(work / "first", whole)]
    for point in range(points):
        folder = work / f"killed{point}"
        kind = draws.choice(KINDS)
        while not (how := [killed(words, folder, kind, draws, seconds, passed)])[0]:
            shutil.rmtree(folder)  # it had ended before it was killed: a point that would prove nothing
        if draws.random() < 0.2:  # perhaps once more, after it has gone on
            how.append(killed(words, folder, draws.choice(tuple(TIMED)), draws, seconds, passed) or "not again")
        code = ended(start(words, folder, Places()))
        found = differences(whole, folder) if code == 0 else [(work / f"{folder.name}.log").read_text()[-2000:]]
        held += not found
        if found:
            lost.append(f"{'; '.join(how)}: {', '.join(found)}")
        print(f"{name} {point + 1}: {'; '.join(how)}: {', '.join(found) or 'held'}", flush=True)
    return held, lost


def main(points: int = 25, seed: int = 0, families: tuple[str, ...] = tuple(FAMILIES)) -> int:
    """Print a line a family; the number of points that were lost."""
    import sklearn.datasets  # noqa: F401 - what a run imports on its way, so that it is imported once
    import torch._dynamo

    import dlcourse.commands.train
    import dlcourse.toons.render  # noqa: F401

    torch.set_num_threads(1)
    gone = []
    for name in families:
        with tempfile.TemporaryDirectory() as work:
            os.environ["DLCOURSE_DATA"] = str(Path(work) / "data")
            start = time.monotonic()
            held, lost = try_family(name, points, seed, Path(work))
        print(f"{name}: {held} of {points} held, {time.monotonic() - start:.0f} s", *lost, sep="\n  ", flush=True)
        gone += lost
    return len(gone)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    points, seed = (numbers + [25, 0][len(numbers) :])[:2]
    named = tuple(word for word in sys.argv[1:] if word in FAMILIES)
    sys.exit(bool(main(points, seed, named or tuple(FAMILIES))))
