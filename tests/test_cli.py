"""The command line: help, wrong words answered by one sentence, paths as a shell gives them."""

import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse.cli.arguments import prepare_arguments
from dlcourse.config import compose
from dlcourse.runs.folders import unique_folder
from tests.conftest import NET, PINNED, TINY

RUN = ["model=clock_multihead", *TINY, *NET, *PINNED, "plots=false"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=clock_multihead", "data=clock"], "data=clock is unknown; did you mean clocks?"),
        (["modle=clock_cyclic"], "unknown key modle; did you mean model?"),
        (["model=clock_cyclic", "data=clocks", "model.optimizer.lrr=1"], "did you mean model.optimizer.lr?"),
        (["data=clocks", "data.augment.rotatoin=1"], "did you mean data.augment.rotation?"),
        (["trainer.max_epoch=3"], "did you mean trainer.max_epochs?"),
        (["model/net=resnt", "model=clock_cyclic"], "model/net=resnt is unknown; did you mean resnet?"),
        (["logger=csvv"], "logger=csvv is unknown; did you mean csv?"),
        (["seed"], "seed"),
        (["data=clocks"], "model is missing: choose model=autoencoder|clock_any|clock_classification|"),
        (["model=clock_cyclic"], "data is missing: choose data=arrays|cifar10|"),
        ([*RUN, "data.count=3"], "data.count=3 is too small"),
        ([*RUN, "model.minute=regression"], "decode=joint requires minute=classes"),
        ([*RUN, "data=clocks_course", "~data.count", "~data.size"], "data.count"),
        ([*RUN, "trainer.max_epochs=abc"], "trainer.max_epochs=abc is not a positive integer"),
        ([*RUN, "trainer.accelerator=tpux"], "tpux"),
        ([*RUN, "+trainer.no_such_thing=1"], "no_such_thing"),
        ([*RUN, "references=[G77]"], "unknown reference G77"),
    ],
)
def test_a_wrong_word_gets_one_sentence_and_a_non_zero_exit(command, words, said):
    code, _, error = command("train", *words)
    assert code == 1 and said in error and "Traceback" not in error
    assert error.startswith("error: ") and len(error.strip().splitlines()) == 1
    assert not list(Path("outputs").rglob("checkpoints"))


def test_two_runs_of_one_name_have_two_folders():
    assert [unique_folder("outputs/day", "run") for _ in range(2)] == ["outputs/day/run", "outputs/day/run-2"]


HELP = """
import sys
from importlib import import_module
from hydra.core.global_hydra import GlobalHydra
from dlcourse.cli.launch import launch
for verb in sys.argv[1:]:
    sys.argv[1:] = ["--help"]
    GlobalHydra.instance().clear()
    try:
        launch(verb, import_module(f"dlcourse.{verb}").task)
    except SystemExit as stop:
        assert not stop.code
    print("end of", verb)
    assert "torch" not in sys.modules
"""


def test_help_names_the_command_and_imports_no_torch():
    verbs = ["train", "evaluate", "predict"]
    call = [sys.executable, "-c", HELP, *verbs]
    done = subprocess.run(call, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    for verb in verbs:
        page, _, done.stdout = done.stdout.partition(f"end of {verb}\n")
        assert f"python -m dlcourse.{verb}" in page


def test_a_run_from_the_command_line_and_what_follows_it(command, tmp_path):
    code, out, error = command("train", *RUN)
    assert code == 0, error
    (folder,) = (p.parent for p in Path("outputs").rglob("result.json"))
    assert "test/error_minutes" in out and "G4" in out and str(folder) in out
    assert command("train", f"run={folder}")[0] == 0
    code, _, error = command("train", f"run={folder}", "seed=5")
    assert code == 1 and "started with seed=0, not 5" in error
    assert (
        "started with model.optimizer.lr=0.008, not 0.5"
        in command("train", f"run={folder}", "model.optimizer.lr=0.5")[2]
    )
    assert command("train", "threads=1", f"run={folder}", "model.optimizer.lr=8e-3", "data.size=48")[0] == 0
    assert "started with checkpoints.best=" in command("train", f"run={folder}", "checkpoints.best=null")[2]
    assert "started without modle.x" in command("train", f"run={folder}", "modle.x=null")[2]
    assert "started without experiment=xor/b1" in command("train", f"run={folder}", "experiment=xor/b1")[2]
    assert command("train", f"run={folder}", "debug=fast")[0] == 0  # as it was started
    assert "started with model=clock_multihead, not" in command("train", f"run={folder}", "model=clock_cyclic")[2]
    assert "threads=0 is not a positive integer" in command("evaluate", f"run={folder}", "threads=0")[2]
    code, out, error = command("evaluate", f"run={folder}", "trainer=cpu", "threads=1", "plots=false")
    assert code == 0, error
    assert len(list((folder / "evaluations").glob("*/result.json"))) == 1


@pytest.mark.parametrize("name", ["a b", "ü=1", "x,y", "(1)", "it's", "tilde~", "back\\slash", "end\\"])
def test_paths_are_read_as_a_shell_gives_them(name):
    assert compose(*prepare_arguments("train", [f"data_dir=/data {name}"])).data_dir == f"/data {name}"


def test_a_run_is_written_to_a_path_as_a_shell_gives_it(command, tmp_path):
    name = "a b ü=1,(x,y) it's~ back\\slash\\"
    folder = tmp_path / name
    code, _, error = command("train", *RUN, f"hydra.run.dir={folder}", f"data_dir={tmp_path}/data {name}")
    assert code == 0, error
    assert (folder / "result.json").exists() and list((tmp_path / f"data {name}").glob("*.npz"))


def test_home_and_interpolations_in_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert prepare_arguments("train", ["data_dir=~/d", "seed=1"]) == ["data_dir='/home/me/d'", "seed=1"]
    assert prepare_arguments("train", ["data_dir=a${b"]) == [r"data_dir='a\${b'"]
    assert prepare_arguments("predict", ["input=null", "input='x y'"]) == ["input=null", "input='x y'"]


def test_flags_may_stand_anywhere():
    words = ["model=xor,mlp", "-m", "--config-name", "train", "seed=1"]
    sweeper = "hydra.sweeper.groups=['model=xor,mlp']"
    assert prepare_arguments("train", words) == [sweeper, "model=xor", "seed=1", "-m", "--config-name", "train"]
    assert prepare_arguments("train", ["search=clocks", "-m"])[0] == "hydra/sweeper=search"


def test_a_reader_that_has_seen_enough_is_no_mistake():
    """`--help | head -1`."""
    command = f"{sys.executable} -m dlcourse.train --help"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
