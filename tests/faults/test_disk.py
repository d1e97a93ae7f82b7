"""Disks that are full or cannot be written, and two processes that prepare the same data."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.clocks import Clocks
from dlcourse.data.npz import cached_npz, read_npz
from dlcourse.errors import UserError
from dlcourse.models.build import load_checkpoint
from dlcourse.training.checkpoints import AtomicCheckpointIO
from tests.families import COMMON, DENSE


@pytest.fixture
def small_disk(tmp_path: Path):
    """Folders that are disks of their own: `small_disk(400)` has 400 kB."""
    mounted = []

    def mount(kilobytes: int) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        call = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
        if not shutil.which("mount") or subprocess.run(call, capture_output=True).returncode:
            pytest.skip("this user may not mount a small disk")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int) -> None:
    """All of a disk but some bytes."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(bytes(max(free - left, 0)))


def test_a_disk_that_fills_up_ends_a_run_with_one_sentence_and_its_last_checkpoint_whole(command, small_disk):
    folder = small_disk(4000) / "run"
    words = [*DENSE, *COMMON, f"hydra.run.dir={folder}"]
    save = AtomicCheckpointIO.save_checkpoint
    saves = []

    def then_full(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path, storage_options)
        saves.append(Path(path).name)
        if saves[-1] == "last.ckpt" and saves.count("last.ckpt") == 1:
            fill(folder.parent, 50_000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", then_full)
        code, _, error = command("train", *words)
    (said,) = [line for line in error.splitlines() if line.startswith("error: ")]
    assert code == 1 and "Traceback" not in error
    assert "could not be written (No space left on device): free some space" in said
    assert load_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 3  # of the first epoch
    assert not list(folder.rglob("*.part"))
    (folder.parent / "filler").unlink()
    result = run(compose(*DENSE, *COMMON), folder=folder, resume=True)
    assert result["status"] == "completed" and result["epochs"] == 2


def test_a_full_disk_before_the_run_is_one_sentence(command, small_disk):
    disk = small_disk(200)
    fill(disk, 0)
    code, _, error = command("train", *DENSE, *COMMON, f"hydra.run.dir={disk / 'run'}")
    assert code == 1 and "Traceback" not in error and "No space left on device" in error
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 1


def test_data_that_does_not_fit_leaves_no_half_file(small_disk):
    disk = small_disk(200)
    with pytest.raises(UserError, match="could not be written.*free some space or set data_dir=DIR"):
        Clocks(str(disk), count=1000, size=48, fresh=False).setup()
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_where_no_disk_can_be_mounted_the_same_is_told_of_an_error(tmp_path, monkeypatch, number):
    def full(*args: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("numpy.savez", full)
    with pytest.raises(UserError, match=f"could not be written.*{os.strerror(number)}"):
        cached_npz(tmp_path / "a.npz", lambda: {"x": np.zeros(3)})
    assert list(tmp_path.iterdir()) == []


def test_data_in_a_folder_that_cannot_be_written_is_read(tmp_path, monkeypatch):
    """Root may write everywhere, so that the folder is forbidden by hand."""
    data = tmp_path / "data"
    Clocks(str(data), count=60, size=16, fresh=False).setup()
    touch, mkdir = Path.touch, Path.mkdir

    def forbidden(original):
        def call(path: Path, *args, **more):
            if data in (path, *path.parents) and not path.exists():
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return original(path, *args, **more)

        return call

    monkeypatch.setattr(Path, "touch", forbidden(touch))
    monkeypatch.setattr(Path, "mkdir", forbidden(mkdir))
    there = Clocks(str(data), count=60, size=16, fresh=False)
    there.prepare_data()
    there.setup()
    assert len(there.arrays["train"][0]) == 48
    with pytest.raises(UserError, match="is not writable.*use another folder with data_dir=DIR"):
        Clocks(str(data), count=61, size=16, fresh=False).setup()


PREPARE = """
import sys, time
from pathlib import Path
from dlcourse.data.clocks import Clocks
Path(sys.argv[1] + sys.argv[2]).touch()
while not all(Path(sys.argv[1] + name).exists() for name in "ab"):
    time.sleep(0.001)
data = Clocks(sys.argv[1], count=600, size=48, fresh=False)
data.prepare_data(); data.setup()
print(len(data.arrays["train"][0]))
"""


@pytest.mark.slow
def test_two_processes_that_prepare_the_same_data_at_once_both_succeed(tmp_path):
    (tmp_path / "data").mkdir()
    call = [sys.executable, "-c", PREPARE, f"{tmp_path}/data/"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    both = [subprocess.Popen([*call, name], stdout=subprocess.PIPE, env=environment) for name in "ab"]
    said = [process.communicate(timeout=300)[0].strip() for process in both]
    assert said == [b"480", b"480"] and [process.returncode for process in both] == [0, 0]
    (prepared,) = (tmp_path / "data").glob("*[!ab]")
    assert read_npz(prepared)["train_x"].shape == (480, 48, 48)
