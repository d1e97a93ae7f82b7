"""docs/guides/own-net.md: its commands with its files, beside the project and, as written, in a copy of it."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dlcourse import config
from dlcourse.config import CONF
from tests.conftest import TINY

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/guides/own-net.md").read_text("utf8")
FILES = re.findall(r"`((?:src|conf)/[\w/]+\.(?:py|yaml))`:\n\n```(?:python|yaml)\n(.*?)```", TEXT, re.S)
COMMANDS = [shlex.split(line)[3:] for line in re.findall(r"```sh\n(python -m dlcourse\.train .*?)\n```", TEXT)]
# Smaller and shorter, but the same: what is not a word of the clocks' renderer is left to the stripes.
CLOCKS = [*TINY, "plots=false"]
STRIPES = ["trainer=cpu", "data.count=200"]

DRIVER = """
import json, sys
from dlcourse import train
from dlcourse.cli.launch import launch
for words in json.loads(sys.argv[1]):
    sys.argv = ["dlcourse.train", *words]
    try:
        launch("train", train.task)
    except SystemExit as stop:
        if stop.code:
            raise
"""


def test_there_is_a_file_for_each_thing_to_add():
    assert [name for name, _ in FILES] == [
        "src/dlcourse/nets/patches.py", "conf/model/net/patches.yaml",
        "src/dlcourse/data/stripes.py", "conf/data/stripes.yaml",
        "src/dlcourse/clocks/turn.py", "conf/model/clock_turn.yaml",
        "conf/experiment/clocks/turn.yaml",
    ]  # fmt: skip
    assert len(COMMANDS) == 4


def commands() -> list[list[str]]:
    return [[*words, *(STRIPES if "data=stripes" in words else CLOCKS)] for words in COMMANDS]


def check(project: Path) -> None:
    """The four runs below a folder are what the guide promises."""
    results = [json.loads(path.read_text()) for path in (project / "outputs").glob("*/*/result.json")]
    made = {(r["model"], r["data"], r["experiment"]): r for r in results}
    assert set(made) == {
        ("clock_multihead", "clocks", None), ("mlp", "stripes", None),
        ("clock_turn", "clocks", None), ("clock_turn", "clocks", "clocks/turn"),
    }  # fmt: skip
    assert all(result["status"] == "completed" for result in results)
    assert made["mlp", "stripes", None]["metrics"]["test/accuracy"] > 0.5
    assert made["clock_turn", "clocks", "clocks/turn"]["references"][0]["id"] == "G-sine"


@pytest.fixture
def beside_the_project(tmp_path, monkeypatch):
    """The guide's modules importable from their packages, and its folder of configs."""
    for name, text in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.suffix == ".py":
            package = import_module(f"dlcourse.{path.parent.name}")
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(path.parent)])
    yield tmp_path / "conf"
    config.use_config_dir(None)
    for name, _ in FILES:
        sys.modules.pop(name.removeprefix("src/").removesuffix(".py").replace("/", "."), None)


@pytest.mark.whole
def test_a_net_a_data_set_an_encoding_and_a_preset_are_added(command, beside_the_project):
    for words in commands():
        code, _, error = command("train", "--config-dir", str(beside_the_project), *words)
        assert code == 0, error
    check(Path())


@pytest.mark.slow  # an own process with the whole project
def test_a_net_a_data_set_an_encoding_and_a_preset_are_added_as_written(tmp_path):
    copy = tmp_path / "project"
    shutil.copytree(ROOT / "src", copy / "src")
    shutil.copytree(CONF, copy / "conf")
    for name, text in FILES:
        (copy / name).write_text(text)
    environment = {"PYTHONPATH": str(copy / "src"), "PATH": "/usr/bin:/bin", "DLCOURSE_DATA": str(tmp_path / "data"),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    call = [sys.executable, "-c", DRIVER, json.dumps(commands())]
    done = subprocess.run(call, capture_output=True, text=True, cwd=copy, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    check(copy)
