"""Four jobs through each launcher that is installed: each in its folder, the table up to date, failures told."""

import csv
import json
import os
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path("outputs/sweeps/four")
# The task says with how many threads a job would compute and leaves a result; it stands for a training of hours.
TASK = """
import json, os, sys
from pathlib import Path

def task(cfg):
    from hydra.core.hydra_config import HydraConfig
    from dlcourse.errors import UserError
    from dlcourse.runs.result import Result, write_result
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    if cfg.seed == 3:
        raise UserError("three is too many")
    told = {"metrics": {"test/accuracy": cfg.seed / 10}, "overrides": list(hydra_cfg.overrides.task)}
    told |= {"process": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")}
    write_result(folder, Result("train", "completed", model="m").updated(**told))

if __name__ == "__main__":
    from dlcourse.cli.launch import launch
    launch("train", task)
"""


def sweep(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Four jobs, the last of which fails."""
    Path("command.py").write_text(TASK)
    call = [sys.executable, "command.py", "-m", "model=mlp", "data=mnist", "seed=0,1,2,3", "name=four", *words]
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | environment
    return subprocess.run(call, capture_output=True, text=True, env=clean, timeout=120, check=False)


def check(done: subprocess.CompletedProcess[str]) -> list[dict]:
    """The four results as they must be, whatever ran them."""
    assert done.returncode == 1 and "1 job failed: 3" in done.stderr, done.stderr
    with (FOLDER / "sweep.csv").open() as file:
        rows = {row["seed"]: row for row in csv.DictReader(file)}
    assert [rows[str(seed)]["job"] for seed in range(4)] == ["0", "1", "2", "3"]
    assert [rows[str(seed)]["test/accuracy"] for seed in range(3)] == ["0.0", "0.1", "0.2"]
    assert rows["3"]["status"] == "three is too many"
    assert "three is too many" in (FOLDER / "3" / "train.log").read_text()
    assert [path.name for path in Path("outputs").iterdir()] == ["sweeps"]
    assert "0, 1, 2, 3" in done.stdout and (FOLDER / "sweep.png").exists()
    return [json.loads((FOLDER / str(job) / "result.json").read_text()) for job in range(3)]


def needs(plugin: str) -> None:
    if find_spec(f"hydra_plugins.{plugin}") is None:
        pytest.skip(f"{plugin} is an extra that is not installed")


@pytest.mark.whole
def test_in_process():
    assert len({result["process"] for result in check(sweep("hydra/launcher=in_process"))}) == 1


@pytest.mark.whole
def test_parallel_shares_the_cores():
    needs("hydra_joblib_launcher")
    results = check(sweep("hydra/launcher=parallel", "hydra.launcher.n_jobs=2"))
    assert {result["threads"] for result in results} == {str(max(1, (os.cpu_count() or 1) // 2))}


@pytest.mark.whole
def test_submitit_on_this_machine():
    needs("hydra_submitit_launcher")
    results = check(sweep("hydra/launcher=submitit_here"))
    assert len({result["process"] for result in results}) == 3
    assert {result["threads"] for result in results} == {"1"}


# Slurm as far as submitit sees it: sbatch keeps the script and runs each task of its array at once, sacct says so.
SBATCH = """#!/usr/bin/env bash
script="${@: -1}"
cp "$script" "$QUEUE/script.sh"
(
for task in 0 1 2 3; do
  export SLURM_JOB_ID=$((100 + task)) SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=4
  export SLURM_LOCALID=0 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_NNODES=1 SLURM_NODEID=0 SLURMD_NODENAME=here
  bash "$script" > "$QUEUE/$task.log" 2>&1
done
) > /dev/null 2>&1 &
echo "Submitted batch job 7"
"""
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do
  case $1 in --output | --error) shift ;; esac
  shift
done
exec "$@"
"""
SACCT = """#!/usr/bin/env bash
echo "JobID|State|NodeList"
for task in 0 1 2 3; do echo "7_$task|COMPLETED|here"; done
"""


@pytest.mark.whole
def test_slurm_through_the_script_that_it_generates(tmp_path):
    needs("hydra_submitit_launcher")
    tools, queue = tmp_path / "tools", tmp_path / "queue"
    tools.mkdir()
    queue.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT}.items():
        (tools / name).write_text(text)
        (tools / name).chmod((tools / name).stat().st_mode | stat.S_IXUSR)
    path = f"{tools}:{os.environ['PATH']}"
    done = sweep("hydra/launcher=slurm", "hydra.launcher.partition=gpu", PATH=path, QUEUE=str(queue))
    script = (queue / "script.sh").read_text()
    for line in (
        "#SBATCH --job-name=dlcourse",
        "#SBATCH --partition=gpu",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --mem=16GB",
        "#SBATCH --time=240",
        "#SBATCH --array=0-3%4",
        "export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK",
    ):
        assert line in script, script
    assert {result["threads"] for result in check(done)} == {"4"}


@pytest.mark.whole
def test_ray():
    needs("hydra_ray_launcher")
    check(sweep("hydra/launcher=ray_here"))
