"""Files from somebody else: nothing in them runs, tells a secret or leaves its folder; one sentence refuses them."""

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.faces import Faces
from dlcourse.data.npz import read_npz
from dlcourse.errors import UserError
from dlcourse.plots.curves import save
from tests.conftest import small_faces

MARK = "ran"  # a file that a malicious one would make
TOUCH = f"touch {MARK}"


class Shell:
    """What unpickles as a call of the shell."""

    def __reduce__(self):
        return os.system, (TOUCH,)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A completed run."""
    folder = tmp_path_factory.mktemp("made") / "run"
    words = ["model=xor", "data=xor", "model.restarts=4", "trainer=cpu", "trainer.max_epochs=2", "plots=false"]
    run(compose(*words), folder=folder)
    return folder


@pytest.fixture
def theirs(made: Path, tmp_path: Path) -> Path:
    """A copy of it, as somebody else might send it."""
    return Path(shutil.copytree(made, tmp_path / "theirs"))


def refused(command, said: str, *words: str) -> None:
    """The command ends with one sentence, and nothing has run."""
    code, out, error = command(*words)
    lines = [line for line in error.splitlines() if line]
    assert code == 1 and "Traceback" not in error, error
    assert len(lines) == 1 and lines[0].startswith("error: ") and said in lines[0], error
    assert not Path(MARK).exists() and "hunter2" not in out + error


ASKING = {
    "a shell for a model": ("model", {"_target_": "os.system", "command": TOUCH}),
    "a shell for data": ("data", {"_target_": "subprocess.getoutput", "cmd": TOUCH}),
    "a function of torch that runs commands": ("model", {"_target_": "torch.utils.collect_env.run", "command": TOUCH}),
    "eval": ("data", {"_target_": "builtins.eval", "_args_": [f"__import__('os').system('{TOUCH}')"]}),
    "a partial call": ("model.net", {"_target_": "os.system", "_partial_": True, "command": TOUCH}),
    "a call in a list": ("model.start", [{"_target_": "os.system", "command": TOUCH}]),
    "a call in a call's arguments": (
        "model.optimizer",
        {"_target_": "torch.optim.SGD", "params": {"x": [{"_target_": "os.system", "command": TOUCH}]}},
    ),
    "a callback": ("callbacks.theirs", {"_target_": "os.system", "command": TOUCH}),
    "a plugin of the trainer": ("trainer.plugins", [{"_target_": "os.system", "command": TOUCH}]),
    "Hydra's own way to call": ("data", {"_target_": "hydra.utils.call", "config": {"_target_": "os.system"}}),
    "a name that is nearly shipped": ("data", {"_target_": "dlcourse.data.xor.XOR.__init__"}),
    "a launcher": ("data", {"_target_": "hydra_plugins.dlcourse_grid.Grid"}),
}


@pytest.mark.parametrize("what", ASKING)
@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_a_config_that_asks_for_more_than_is_shipped(command, theirs, what, verb):
    stored = OmegaConf.load(theirs / "config.yaml")
    key, value = ASKING[what]
    OmegaConf.update(stored, key, value, merge=False, force_add=True)
    OmegaConf.save(stored, theirs / "config.yaml")
    refused(command, "it is not loaded from a stored run", verb, f"run={theirs}")


@pytest.mark.parametrize(
    "target",
    ["dlcourse.training.csv_logger.MetricsCSV", "torch.optim.SGD", "dlcourse.training.checkpoints.ResumeCheckpoint"],
)
@pytest.mark.parametrize("key", ["model", "data"])
def test_a_shipped_name_in_another_place(command, theirs, key, target):
    stored = OmegaConf.load(theirs / "config.yaml")
    OmegaConf.update(stored, key, {"_target_": target, "save_dir": ".", "dirpath": "."}, merge=False)
    OmegaConf.save(stored, theirs / "config.yaml")
    refused(command, "", "evaluate", f"run={theirs}")


PYTHON = f"model: !!python/object/apply:os.system ['{TOUCH}']\n"
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
WRITTEN = {
    "an environment variable": ("seed: ${oc.env:SECRET}\n", "interpolation"),
    "one in a string that is decoded": ("seed: ${oc.decode:'${oc.env:SECRET}'}\n", "interpolation"),
    "one whose dollar is written as a number": ('name: "\\x24{oc.env:SECRET}"\n', "interpolation"),
    "one in a list": ("references: ['${oc.env:SECRET}']\n", "interpolation"),
    "one in a key": ("'${oc.env:SECRET}': 1\n", "interpolation"),
    "an object of Python's": (PYTHON, "cannot be read"),
    "a text that grows without end": (BOMB, "not a config that dlcourse wrote"),
    "a list": ("[1, 2]\n", "not a config that dlcourse wrote"),
    "no text": ("\0\1\2", "cannot be read"),
    "nothing": ("", "not a config that dlcourse wrote"),
}


@pytest.mark.parametrize("what", WRITTEN)
@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_a_config_that_is_written_by_hand(command, theirs, monkeypatch, what, verb):
    monkeypatch.setenv("SECRET", "hunter2")
    text, said = WRITTEN[what]
    (theirs / "config.yaml").write_text(text)
    refused(command, said, verb, f"run={theirs}")


def test_a_stored_config_holds_no_environment_variable(made):
    assert "${" not in (made / "config.yaml").read_text()


def pickled(path: Path) -> None:
    torch.save({"state_dict": {}, "dlcourse": Shell()}, path)


def pickled_as_of_old(path: Path) -> None:
    torch.save({"state_dict": Shell()}, path, _use_new_zipfile_serialization=False)


def bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Shell()))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pickled, pickled_as_of_old, bare_pickle, pipe, endless])
def test_a_checkpoint_that_would_run_or_never_end(command, theirs, make):
    make(theirs / "checkpoints" / "best.ckpt")
    refused(command, "best.ckpt is damaged or not a checkpoint", "evaluate", f"run={theirs}")
    (theirs / "result.json").unlink()
    make(theirs / "checkpoints" / "last.ckpt")
    refused(command, "last.ckpt is damaged or not a checkpoint", "train", f"run={theirs}")


def test_a_log_that_leads_to_another_file(command, theirs, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (theirs / "result.json").unlink()
    (theirs / "train.log").unlink(missing_ok=True)
    (theirs / "train.log").symlink_to(tmp_path / "mine")
    refused(command, "train.log is a symbolic link", "train", f"run={theirs}")
    assert (tmp_path / "mine").read_text() == "mine"


def test_results_that_lead_to_another_file_are_replaced_not_followed(command, theirs, tmp_path):
    (tmp_path / "mine").write_text("mine")
    for name in ("result.json", "metrics.csv"):
        (theirs / name).unlink()
        (theirs / name).symlink_to(tmp_path / "mine")
    refused(command, "result.json", "train", f"run={theirs}")
    (theirs / "result.json").unlink()
    code, _, _ = command("train", f"run={theirs}")
    assert code == 0 and not (theirs / "metrics.csv").is_symlink() and (tmp_path / "mine").read_text() == "mine"


def test_a_plot_replaces_a_link_and_does_not_follow_it(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "curves.png").symlink_to(tmp_path / "mine")
    save(Figure(), tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").is_symlink() and (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("name", ["train_x", "train_y", "test_x"])
def test_an_archive_with_objects_is_not_unpickled(command, image_sets, tmp_path, name):
    with np.load(image_sets / "mnist.npz") as file:
        arrays = dict(file)
    arrays[name] = np.array([Shell()], object)
    np.savez(tmp_path / "theirs.npz", **arrays)
    words = ("model=mlp", "data=mnist", "trainer=cpu", f"data.path={tmp_path / 'theirs.npz'}")
    refused(command, "theirs.npz", "train", *words)
    assert all(json.loads(p.read_text())["status"] == "failed" for p in tmp_path.rglob("result.json"))


def test_names_in_an_archive_stay_names(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "theirs.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("../evil.npy", "/tmp/dlcourse_evil.npy", "train_x.npy"):
            with file.open(name, "w") as member:
                np.lib.format.write_array(member, small_faces())
    assert read_npz(path).keys() == {"../evil", "/tmp/dlcourse_evil", "train_x"}
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "theirs.npz"] and not Path("/tmp/dlcourse_evil.npy").exists()


def test_a_folder_of_pictures_with_links_is_read_and_nothing_else(tmp_path):
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(small_faces(30)):
        Image.fromarray(picture).save(folder / f"{number}.png")
    (tmp_path / "secret.txt").write_text("hunter2")
    (folder / "secret.png").symlink_to(tmp_path / "secret.txt")
    (folder / "endless.png").symlink_to("/dev/zero")
    (folder / "round").symlink_to(folder, target_is_directory=True)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.png")
    data = Faces("faces", str(tmp_path / "data"), str(folder), size=16, batch_size=4)
    data.setup()
    assert sum(len(x) for x, _ in data.arrays.values()) == 30
    assert [path.suffix for path in (tmp_path / "data").iterdir()] == [".npz"]


@pytest.mark.parametrize("content", [b"", b"PK\3\4", pickle.dumps(Shell()), b"\x93NUMPY\1\0"])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "theirs.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"theirs\.npz could not be read as \.npz"):
        read_npz(tmp_path / "theirs.npz")
    assert not Path(MARK).exists()
