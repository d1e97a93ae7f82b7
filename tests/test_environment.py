"""Inherited variables and files do not change or end a run, and a finished run stays finished."""

import errno
import fcntl
import json
import logging
import os
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from dlcourse.cli.streams import guard_streams
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.models.build import load_checkpoint
from dlcourse.training.devices import LEADER, check_launcher, ddp_environment, process_rank
from dlcourse.training.ema import EMAWeightAveraging

RUN = ["model=mlp", "data=digits8", "trainer=cpu", "trainer.max_epochs=1", "trainer.precision=32-true"]
DDP = OmegaConf.create({"devices": 2, "strategy": "ddp"})


NO_USER = "import os\nos.getuid = os.geteuid = lambda: 54321\n"  # a uid without an entry in the table of users
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# A user who may read all files and write none of root's: what a class room's shared installation is for its students.
NOBODY = shlex.split(
    "setpriv --reuid=65534 --regid=65534 --clear-groups "
    "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search"
)
# Each row is one process: environment, redirections, command, what it says, the file that it leaves.
TABLE = {
    "train: foreign variables, no user, no home, ASCII, closed input and output": (
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2",
         "SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "1",
         "SLURM_LOCALID": "1", "SLURM_NODEID": "0", "SLURM_JOB_NAME": "packed", "HOME": None, "USER": None,
         "LOGNAME": None, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "WANDB_MODE": "online", "COLUMNS": "40",
         "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1", "PL_TRAINER_MAX_STEPS": "1", **ASCII},
        "<&- >&-", ["train", *RUN, "hydra.run.dir=out"], "epoch 1/1", "out/plots/curves.png"),
    "predict: a full disk behind the output, ASCII, no home": (
        {"HOME": "/proc/nowhere", **ASCII}, "> /dev/full", ["predict", "ü.png", "hydra.run.dir=out"],
        "output cannot be printed (No space left on device); the command continues", "out/predictions.csv"),
    "report: closed output and errors": ({}, ">&- 2>&-", ["report", "output=out"], "", "out/report.html"),
}  # fmt: skip


@pytest.fixture(scope="module")
def another_user() -> list[str]:
    """The words before a command that run it under another uid; none where this process may not change it."""
    if os.getuid() or not shutil.which("setpriv"):
        return []
    return [] if subprocess.run([*NOBODY, sys.executable, "-c", "pass"], capture_output=True).returncode else NOBODY


@pytest.mark.parametrize(
    "row", [row if row.startswith("report") else pytest.param(row, marks=pytest.mark.whole) for row in TABLE]
)
def test_environment_and_command(tmp_path, row, another_user):
    inherited, redirections, words, said, left = TABLE[row]
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    (tmp_path / "sitecustomize.py").write_text(NO_USER)
    Image.new("L", (60, 60), 200).save("ü.png")
    Path("outputs").mkdir()
    tmp_path.chmod(0o777)  # the other user's working directory
    shutil.copytree(matplotlib.get_cachedir(), "fonts")  # finding them takes seconds
    Path("fonts").chmod(0o777)
    caches = {"PYTHONPATH": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "fonts")}
    variables = {name: value for name, value in (os.environ | caches | inherited).items() if value is not None}
    call = f"{shlex.join([*another_user, sys.executable, '-m', 'dlcourse', *words])} {redirections}"
    done = subprocess.run(["bash", "-c", call], env=variables, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr and "could not be drawn" not in done.stderr
    assert Path(left).stat().st_size > 0
    assert Path(left).stat().st_uid == (65534 if another_user else os.getuid())
    if words[0] == "train":
        assert json.loads(Path("out/result.json").read_text())["status"] == "completed"
        assert load_checkpoint(Path("out/checkpoints/last.ckpt"))["global_step"] > 1


def test_a_sweep_goes_on_after_the_hang_up_signal(command, monkeypatch):
    monkeypatch.setattr(BaseModule, "on_train_epoch_start", lambda _: signal.raise_signal(signal.SIGHUP), raising=False)
    code, _, error = command("train", "-m", *RUN, "plots=false", "seed=0,1", "name=two")
    assert code == 0, error
    check_sweep(Path("outputs/sweeps/two"))


def check_sweep(folder: Path) -> None:
    assert [json.loads((folder / n / "result.json").read_text())["status"] for n in "01"] == ["completed"] * 2
    assert (folder / "sweep.md").exists()


@pytest.mark.slow
def test_a_sweep_outlives_its_terminal():
    """The window is closed while job 0 trains: the terminal is gone, and the process is told so by SIGHUP."""
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    call = [sys.executable, "-m", "dlcourse.train", "-m", *RUN, "plots=false", "seed=0,1", "name=two"]
    process = subprocess.Popen(call, stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    folder = Path("outputs/sweeps/two")
    while process.poll() is None and not (folder / "0" / "config.yaml").exists():
        if select.select([leader], [], [], 0.05)[0]:
            os.read(leader, 65536)
    os.close(leader)
    process.send_signal(signal.SIGHUP)
    assert process.wait(300) == 0
    check_sweep(folder)


def test_a_folder_that_is_not_writable_gets_one_sentence(command, monkeypatch):
    mkdir = Path.mkdir

    def refuse(path: Path, *args: Any, **more: Any) -> None:
        if not path.is_absolute():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        mkdir(path, *args, **more)

    monkeypatch.setattr(Path, "mkdir", refuse)
    for verb, words in (("train", RUN), ("train", ["-m", *RUN, "seed=0,1"]), ("predict", ["input=photo.jpg"])):
        code, _, error = command(verb, *words)
        assert code == 1 and "is not writable (Permission denied): work in another folder" in error
        assert len(error.splitlines()) == 1


def test_output_in_ascii():
    guard_streams()
    assert "3 ± 1 … ü".encode("ascii", "dlcourse") == b"3 +- 1 ... \\xfc"


def test_only_processes_of_this_run_have_a_rank(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_rank() == 0
    with ddp_environment(DDP):
        assert os.environ[LEADER] == str(os.getpid()) and "LOCAL_RANK" not in os.environ
    assert os.environ["LOCAL_RANK"] == "1" and LEADER not in os.environ
    monkeypatch.setenv(LEADER, str(os.getppid()))  # as in a process that Lightning has started
    assert process_rank() == 1


@pytest.mark.parametrize(("name", "launcher"), [("TORCHELASTIC_RUN_ID", "torchrun"), ("SLURM_PROCID", "srun")])
def test_ddp_under_another_launcher_is_refused(monkeypatch, name, launcher):
    monkeypatch.setenv(name, "3")
    with pytest.raises(UserError, match=f"trainer=ddp does not support {launcher}"):
        check_launcher(DDP)
    check_launcher(OmegaConf.create({"devices": 1, "strategy": "auto"}))


def test_a_plot_that_fails_is_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError("no plot")

    monkeypatch.setattr("dlcourse.plots.dispatch.draw", fail)
    result = run(compose(*RUN, "plots=true"), folder=tmp_path / "run")
    assert result["status"] == "completed"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "completed"
    assert "plots of the run could not be drawn (ZeroDivisionError: no plot)" in caplog.text


def test_a_closed_terminal_does_not_end_a_finished_run(tmp_path, monkeypatch):
    class Closed:
        def write(self, text):
            raise OSError(5, "Input/output error")

        def flush(self):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Closed())
    assert run(compose(*RUN, "plots=false"), folder=tmp_path / "run")["status"] == "completed"


def test_a_script_without_logging_sees_each_epoch_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for folder in "ab":
        run(compose(*RUN, "plots=false"), folder=tmp_path / folder)
        assert capsys.readouterr().err.count("epoch 1/1") == 1
    assert not logging.getLogger("dlcourse").handlers


@pytest.mark.parametrize(("every", "batches"), [(1, 6), (2, 6), (4, 3)])
def test_an_average_is_updated_however_many_steps_a_batch_takes(every, batches):
    ema, updated = EMAWeightAveraging(0.9, every), 0
    for step in range(2, 14, 2):  # a GAN takes two steps for a batch
        if ema.should_update(step_idx=step - 1):
            ema._latest_update_step, updated = step, updated + 1
    assert updated == batches


def test_ema_costs_no_accuracy_in_a_short_run(tmp_path):
    words = [*RUN, "plots=false", "trainer.max_epochs=4"]
    plain = run(compose(*words), folder=tmp_path / "plain")["metrics"]["test/accuracy"]
    averaged = run(compose(*words, "callbacks=ema"), folder=tmp_path / "ema")["metrics"]["test/accuracy"]
    assert averaged > plain - 0.01


@pytest.mark.parametrize("words", ["+checkpoints.best.save_top_k=3", "checkpoints.best.filename=mine"])
def test_the_best_checkpoint_is_tested_whatever_its_file(tmp_path, words):
    rates = ["model.optimizer.lr=0.05", "trainer.max_epochs=5", "data.validation=200", "plots=false"]
    run(compose(*RUN, *rates), folder=tmp_path / "one")
    run(compose(*RUN, *rates, words), folder=tmp_path / "other")
    one, other = (load_checkpoint(tmp_path / name / "checkpoints" / "best.ckpt") for name in ("one", "other"))
    assert one["epoch"] == other["epoch"]
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
