"""The bundle for machines without network: one command makes it, one installs it. Nothing is downloaded here."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dlcourse.errors import UserError
from tools.classroom.__main__ import INSTALLER, make
from tools.classroom.install import install, python_of, this_machine

TOONS = "data=toons data.count=10 data.validation=2 data.test=2 data.size=32"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that is called like the project and needs nothing."""
    path = tmp_path / "dlcourse-9.9-py3-none-any.whl"
    folder = "dlcourse-9.9.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dlcourse/__init__.py", "VERSION = '9.9'\n")
        archive.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: dlcourse\nVersion: 9.9\n")
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/RECORD", "")
    return path


def installed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run install.py of a bundle, as a person does."""
    call = [sys.executable, str(folder / "install.py"), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow  # two virtual environments with pip
def test_a_bundle_is_made_and_installed(tmp_path, wheel):
    archive = make(tmp_path / "course", [TOONS], packages=[], project=str(wheel), pip=["--no-index"])
    (tmp_path / "copied").mkdir()
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "copied")
    done = installed(tmp_path / "copied/course", str(tmp_path / "desk"))
    assert done.returncode == 0, done.stderr
    assert "python -m dlcourse.train" in done.stdout
    call = [python_of(tmp_path / "desk/.venv"), "-c", "import dlcourse; print(dlcourse.VERSION)"]
    said = subprocess.run(call, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "9.9"
    assert list((tmp_path / "desk/data").glob("toons-*.npz")) and list((tmp_path / "desk/notebooks").glob("*.ipynb"))
    again = installed(tmp_path / "copied/course", str(tmp_path / "desk"))
    assert again.returncode == 1 and "exists: remove it, or name another folder" in again.stderr


@pytest.fixture
def pip(monkeypatch):
    """The commands that would run pip; `pip.append(False)` first makes the next one fail."""
    calls = []

    def run(call, check):
        fails = calls == [False]
        calls.append([str(word) for word in call])
        if fails:
            raise subprocess.CalledProcessError(1, call)

    monkeypatch.setattr(subprocess, "run", run)
    for module in ("tools.classroom.__main__", "tools.classroom.install"):
        monkeypatch.setattr(f"{module}.new_environment", lambda folder: folder.mkdir(parents=True) or "python")
    return calls


def test_what_goes_into_a_bundle_and_onto_a_desk(tmp_path, pip):
    archive = make(tmp_path / "course", [TOONS], ["jupyterlab"], "project[features]", ["--no-index"])
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
    assert "course/install.py" in names and "course/notebooks/clocks.ipynb" in names
    assert any(name.startswith("course/data/toons-") for name in names) and not any("venv" in name for name in names)
    assert pip[0][1:4] == ["-m", "pip", "wheel"] and pip[0][-3:] == ["--no-index", "project[features]", "jupyterlab"]
    install(tmp_path / "course", tmp_path / "desk")
    wheels = ["--no-index", "--find-links", str(tmp_path / "course/wheels")]
    assert pip[1][-5:] == [*wheels, "dlcourse[features]", "jupyterlab"]
    assert sorted(path.name for path in (tmp_path / "desk").iterdir()) == [".venv", "data", "notebooks"]


def test_a_failure_of_pip_leaves_nothing(tmp_path, pip):
    pip.append(False)
    with pytest.raises(UserError, match="pip could not collect project jupyterlab"):
        make(tmp_path / "course", [], project="project")
    assert not list(tmp_path.iterdir())
    pip.clear()
    make(tmp_path / "course", [])
    pip[:] = [False]
    with pytest.raises(SystemExit, match="desk was not installed"):
        install(tmp_path / "course", tmp_path / "desk")
    assert not (tmp_path / "desk").exists()


def test_a_bundle_of_another_machine_is_refused(tmp_path):
    (tmp_path / "install.py").write_text(INSTALLER.read_text("utf8"))
    (tmp_path / "bundle.json").write_text(json.dumps({"machine": "CPython 2.7 on Amiga", "install": []}))
    done = installed(tmp_path, str(tmp_path / "desk"))
    assert done.returncode == 1 and f"is for CPython 2.7 on Amiga, but this is {this_machine()}" in done.stderr
    assert not (tmp_path / "desk").exists()


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="data.count"):
        make(tmp_path / "course", ["data=clocks data.count=3"], packages=[], pip=["--no-index"])
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="taken exists"):
        make(tmp_path / "taken", [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]
