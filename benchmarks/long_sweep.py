"""What a long sweep leaves behind in its process: `python benchmarks/long_sweep.py [JOBS]`.

Runs JOBS (200) tiny nets on scikit-learn's digits in one sweep and looks at the memory and the open files of its
process after each. The memory after the first tenth and that of the last tenth should be within 5 %.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["model=mlp", "data=digits8", "trainer.max_epochs=1", "trainer=cpu", "trainer.precision=32-true", "threads=1"]


def look(process: int) -> tuple[float, int]:
    """Resident memory in MB and open files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6, len(list(Path(f"/proc/{process}/fd").iterdir()))


def main() -> None:
    """Print the figures."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        sweep = ["-m", f"seed=range({jobs})", "name=long", "plots=false"]
        call = [sys.executable, "-m", "dlcourse.train", *sweep, *WORDS]
        start, seen = time.perf_counter(), []
        process = subprocess.Popen(call, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            done = sum(1 for _ in Path(folder).glob("outputs/sweeps/long/*/result.json"))
            if done > len(seen) and done < jobs:
                seen += [look(process.pid)] * (done - len(seen))
            time.sleep(0.02)
    if process.returncode:
        sys.exit("the sweep failed")
    tenth = len(seen) // 10
    first, last = (
        [statistics.median(values) for values in zip(*part, strict=True)]
        for part in (seen[tenth : 2 * tenth], seen[-tenth:])
    )
    print(
        f"{jobs} jobs in {time.perf_counter() - start:.0f} s: {first[0]:.0f} MB and {first[1]:.0f} files after the ",
        end="",
    )
    print(f"first tenth, {last[0]:.0f} MB ({last[0] / first[0] - 1:+.1%}) and {last[1]:.0f} files in the last")


if __name__ == "__main__":
    main()
