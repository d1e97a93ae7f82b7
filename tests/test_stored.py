"""Runs that an earlier version wrote, tests/stored, are read by this one; those of a later one are refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.stored.make import EXAMPLES, STORED

FAMILIES = {
    yaml.safe_load((STORED / name / "config.yaml").read_text())["model"]["_target_"].rpartition(".")[2]
    for name in EXAMPLES
}


def copy(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(STORED / name, folder / name))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_stored_run_is_measured_again_as_it_was(command, tmp_path, data_dir, name):
    folder = copy(name, tmp_path)
    words = (f"run={folder}", f"data_dir={data_dir}", "trainer=cpu", "plots=false", "hydra.run.dir=again")
    code, _, error = command("evaluate", *words)
    assert code == 0, error
    before, now = (json.loads((at / "result.json").read_text()) for at in (folder, Path("again")))
    wanted = {key: value for key, value in before["metrics"].items() if key.startswith("test/")}
    assert wanted and now["metrics"].keys() >= wanted.keys()  # more may be measured than then
    timed = {key for key in wanted if key.endswith("tries_per_second")}
    assert {k: now["metrics"][k] for k in wanted if k not in timed} == pytest.approx(
        {k: v for k, v in wanted.items() if k not in timed}, rel=1e-3, abs=1e-6
    )


def test_there_is_an_example_of_each_family():
    shipped = {
        yaml.safe_load(path.read_text()).get("_target_", "dlcourse.models.classifier.Classifier").rpartition(".")[2]
        for path in (STORED.parents[1] / "conf" / "model").glob("*.yaml")
    }
    # Nearest neighbours store the data, which is not ours to store. The package holds a run of AnyClockReader.
    assert shipped - FAMILIES == {"AnyClockReader", "KNearestNeighbours"}


def test_stored_examples_are_small_and_name_no_folder_of_their_maker():
    for path in STORED.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.stat().st_size < 40_000, path
            assert path.suffix == ".ckpt" or "/tmp/" not in path.read_text(), path


def test_a_later_checkpoint_asks_for_a_later_version(command, tmp_path, data_dir):
    folder = copy("xor", tmp_path)
    path = folder / "checkpoints" / "best.ckpt"
    state = torch.load(path, weights_only=True)
    state["dlcourse"]["schema"] = 99
    torch.save(state, path)
    code, _, error = command("evaluate", f"run={folder}", f"data_dir={data_dir}")
    assert code == 1 and "was written by a later" in error


@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_a_later_result_asks_for_a_later_version(command, tmp_path, verb):
    folder = copy("xor", tmp_path)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"schema": 99}))
    code, _, error = command(verb, f"run={folder}")
    assert code == 1 and "result.json was written by a later version of dlcourse (schema 99" in error
