"""Words of a command line as people type them, and the commands behind `dlcourse`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcourse.__main__ import commands, main
from dlcourse.cli.arguments import prepare_arguments
from dlcourse.cli.words import join_lists
from dlcourse.errors import UserError

OWN = ["model=mlp", "data=mnist", "data.validation=60", "trainer=cpu", "plots=false", "debug=fast"]


@pytest.fixture
def paths():
    """Files and run folders with commas and spaces in their names."""
    for name in ("a.npz", "b c.npz", "x,y.npz"):
        Path(name).touch()
    for name in ("A", "B,C"):
        Path(name).mkdir()
        (Path(name) / "config.yaml").touch()


@pytest.mark.parametrize(("words", "joined"), [
    (["compare=[A,", "B]", "output=x"], ["compare=[A, B]", "output=x"]),
    (["seed=0,", "1,", "-2", "-m"], ["seed=0, 1, -2", "-m"]),
    (["seed=range(0,", "3)"], ["seed=range(0, 3)"]),
    (["input=a[1.png", "seed=2"], ["input=a[1.png", "seed=2"]),
    (["seed=0,", "model=mlp"], ["seed=0,", "model=mlp"]),
    (["a=[", "b", "c"], ["a=[", "b", "c"]),
])  # fmt: skip
def test_a_list_that_the_shell_has_split_is_joined(words, joined):
    assert join_lists(words) == joined


@pytest.mark.parametrize(("verb", "words", "prepared"), [
    ("predict", ["photo.jpg"], ["input='photo.jpg'"]),
    ("predict", ["a.npz", "one.png"], ["input=['a.npz','one.png']"]),
    ("predict", ["input=[a.npz,", "b c.npz]"], ["input=['a.npz','b c.npz']"]),
    ("predict", ["--cfg", "job", "photo.png"], ["input='photo.png'", "--cfg", "job"]),
    ("predict", ["nothing"], ["nothing"]),
    ("evaluate", ["A", "data=mnist"], ["data=mnist", "run='A'"]),
    ("report", ["A", "B,C"], ["compare=['A','B,C']"]),
    ("app", ["A", "B,C"], ["folders=['A','B,C']"]),
    ("train", ["-m", "data.path=a.npz,b c.npz,x,y.npz"], ["data.path='a.npz','b c.npz','x,y.npz'", "-m"]),
    ("evaluate", ["-m", "run=A,B,C"], ["run='A','B,C'", "-m"]),
    ("predict", ["A", "photo.jpg"], ["run='A'", "input='photo.jpg'"]),
    ("train", ["-m", "seed=1,", "-2", "--config-name", "train", "max=[1,", "-2]"],
     ["seed=1, -2", "max=[1, -2]", "-m", "--config-name", "train"]),
    ("train", ["data.path=x,y.npz", "#", "a", "comment"], ["data.path='x,y.npz'"]),
])  # fmt: skip
def test_paths_find_their_key(paths, verb, words, prepared):
    assert prepare_arguments(verb, words) == prepared


@pytest.mark.parametrize(("verb", "words", "said"), [
    ("train", ["data.path=a.npz,b c.npz"], "names 2 paths: add -m"),
    ("evaluate", ["A", "B,C"], "evaluate takes one run, not 2: use -m run=A,B,C for all of them"),
    ("train", ["A", "B,C"], "train takes one run, not 2: name one"),
    ("train", ["run=A", "--model"], "unknown flag --model"),
    ("predict", ["a.npz", "input=a.npz"], "name all paths in input="),
    ("evaluate", ["-m", "run=A,D"], "run=D is not a run folder"),
    ("train", ["-m", "run=A,B,C"], "continue one run at a time"),
])  # fmt: skip
def test_paths_that_do_not_fit(paths, verb, words, said):
    with pytest.raises(UserError, match=said):
        prepare_arguments(verb, words)


@pytest.mark.whole
def test_files_and_runs_are_swept(command, image_sets):
    data = dict(np.load(image_sets / "mnist.npz"))
    for name in ("one", "two, b"):
        np.savez(f"{name}.npz", **data)
    code, _, error = command("train", "-m", *OWN, "data.path=one.npz,two, b.npz", "name=files")
    assert code == 0, error
    jobs = [Path("outputs/sweeps/files") / n for n in "01"]
    assert ["one.npz" in (job / "config.yaml").read_text() for job in jobs] == [True, False]
    Path("pictures").mkdir()
    for n in range(2):
        Image.fromarray(data["test_x"][n]).save(f"pictures/{n}.png")
    runs = ",".join(map(str, jobs))
    code, out, error = command("predict", "-m", f"run={runs}", "input=pictures", "hydra.sweep.dir=answers")
    assert code == 0 and len(list(Path("answers").glob("*/predictions.csv"))) == 2, error
    code, out, error = command("predict", f"run={jobs[0]}", "pictures/0.png", "pictures/1.png")
    assert code == 0 and "pictures/1.png" in out, error


def test_home_is_found_from_yaml(command, monkeypatch, tmp_path, image_sets):
    monkeypatch.setenv("HOME", str(image_sets))
    Path("own/experiment").mkdir(parents=True)
    Path("own/experiment/home.yaml").write_text("# @package _global_\ndata: {path: ~/mnist.npz}\n")
    code, _, error = command("train", "--config-dir", "own", *OWN, "experiment=home", "hydra.run.dir=run")
    assert code == 0, error
    assert str(image_sets / "mnist.npz") in Path("run/config.yaml").read_text()


def test_the_commands_are_listed_and_found(monkeypatch, capsys):
    assert list(commands()) == ["app", "embed", "evaluate", "export", "predict", "report", "sample", "train"]
    monkeypatch.setattr(sys, "argv", ["dlcourse"])
    main()
    assert all(f"  {name} " in text for text in [capsys.readouterr().out] for name in commands())
    for word, said in (("trian", "unknown command trian; did you mean train"), ("model=mlp", "the command is missing")):
        monkeypatch.setattr(sys, "argv", ["dlcourse", word])
        with pytest.raises(SystemExit, match=said):
            main()


def test_a_command_behind_dlcourse_is_the_module():
    """Launchers and ddp start `__main__` again by its name."""
    code = "import runpy, sys; sys.argv[1:] = ['train', 'model=mlp', '--cfg', 'job']\n"
    code += "from dlcourse import __main__ as program\nimport dlcourse.cli.launch as launch\n"
    code += "launch.launch = lambda verb, task: print(verb, sys.modules['__main__'].__spec__.name, sys.argv[1:])\n"
    code += "program.main(); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "train dlcourse.train ['model=mlp', '--cfg', 'job']\n", done.stderr
