"""A run packed into a few bytes a weight answers as before, ships as the built-in reader, and says what it measured."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dlcourse.commands.export as exporting
from dlcourse.commands.export import export
from dlcourse.errors import UserError
from dlcourse.models.build import READER, built_in, load_run
from dlcourse.models.quantization import packed, weights_of


@pytest.mark.parametrize(("bits", "least"), [(8, 3.5), (16, 1.9)])
def test_packed_weights_are_small_and_near(bits, least):
    torch.manual_seed(0)
    state = {"w": torch.randn(64, 32, 3, 3), "b": torch.randn(64) / 10, "n": torch.tensor(5), "zero": torch.zeros(4, 4)}
    small = packed(state, bits)
    again = weights_of({"state_dict": small})
    assert again.keys() == state.keys()
    for name, value in state.items():
        assert (again[name].float() - value).abs().max() <= value.abs().max() * (0.005 if bits == 8 else 0.001)
    size = {False: state, True: small}
    before, after = (sum(v.nbytes for name, v in size[key].items()) for key in (False, True))
    assert before / after > least


def test_a_command_makes_a_folder_that_answers(run_folder, command, tmp_path):
    code, out, error = command("export", f"run={run_folder}", "output=small reader")
    assert code == 0 and "MB in 8 bits" in out, error
    assert sorted(path.name for path in Path("small reader").iterdir()) == ["config.yaml", "result.json", "weights.pt"]
    assert not list(Path().glob(".*part"))
    result = json.loads(Path("small reader/result.json").read_text())
    whole = json.loads((run_folder / "result.json").read_text())
    assert result["bits"] == 8 and result["metrics"].keys() == whole["metrics"].keys()
    assert result["metrics"]["test/loss"] == pytest.approx(whole["metrics"]["test/loss"], rel=0.05)
    assert str(tmp_path) not in Path("small reader/config.yaml").read_text()
    assert command("export", f"run={run_folder}", "output=small reader", "bits=16")[0] == 0  # over itself
    Image.new("L", (50, 50)).save("a.png")
    code, out, error = command("predict", "run=small reader", "input=a.png")
    assert code == 0 and "confidence" in out, error


def test_predict_without_a_run_asks_the_built_in_reader_of_any_clock(command):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save("noise.png")
    code, out, error = command("predict", "input=noise.png", "hydra.run.dir=out")
    assert code == 0 and "no clock found" in out, error
    assert Path("out/contact_sheet.png").exists()


def test_without_one_a_sentence_says_how_to_get_it(tmp_path):
    with pytest.raises(UserError, match=r"built-in reader is missing.*dlcourse.export run=DIR"):
        built_in(tmp_path)


def test_what_ships_is_small_and_complete():
    assert (READER / "weights.pt").stat().st_size <= exporting.LIMIT
    _, model = load_run(READER)
    assert model.task.kind == "time"
    assert json.loads((READER / "result.json").read_text())["metrics"]["test/error_minutes"] < 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "run is missing"),
        (["run=nowhere"], "run=nowhere is no"),
        (["bits=4"], "bits=4 is not supported: use 8 or 16"),
        (["output=full"], "output=full contains other files"),
        (["output=full/letter.txt"], "output=full/letter.txt is a file"),
    ],
)
def test_wrong_words_get_one_sentence(run_folder, command, words, said):
    Path("full").mkdir()
    Path("full/letter.txt").write_text("mine")
    chosen = [f"run={run_folder}", "output=new"] if words and not words[0].startswith("run") else []
    code, _, error = command("export", *chosen, *words)
    assert code == 1 and said in error and len(error.strip().splitlines()) == 1
    assert not Path("new").exists() and Path("full/letter.txt").exists()


@pytest.mark.whole
def test_a_run_is_never_replaced_by_itself_packed(run_folder, command):
    before = sorted(run_folder.rglob("*"))
    code, _, error = command("export", f"run={run_folder}", f"output={run_folder}")
    assert code == 1 and "contains other files" in error and sorted(run_folder.rglob("*")) == before


def test_the_built_in_reader_is_replaced_by_a_better_clock_reader_only(run_folder, tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    export(run_folder, shipped)
    monkeypatch.setattr(exporting, "READER", shipped)
    export(run_folder, shipped)  # as good as itself
    path = shipped / "result.json"
    better = json.loads(path.read_text())
    better["metrics"]["test/error_minutes"] = 0.0
    path.write_text(json.dumps(better))
    with pytest.raises(UserError, match=r"minutes, the built-in reader 0.00: export it to another folder"):
        export(run_folder, shipped)
    with pytest.raises(UserError, match="is not a clock reader"):
        export(Path(__file__).parent / "stored" / "classifier", shipped)
    assert json.loads(path.read_text()) == better


def test_data_of_another_machine_is_looked_for_in_data_dir(run_folder, tmp_path):
    there = tmp_path / "elsewhere"
    result, folder = export(run_folder, tmp_path / "reader", data_dir=str(there))
    again, _ = export(run_folder, tmp_path / "reader")
    assert list(there.glob("clocks-*.npz")) and str(there) not in (folder / "config.yaml").read_text()
    assert result.metrics == again.metrics and not list(tmp_path.glob(".reader.*"))  # nothing of the earlier export


def test_a_net_that_is_too_large_is_refused(run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "LIMIT", 1000)
    with pytest.raises(UserError, match=r"the limit is 0 MB: train a smaller net"):
        export(run_folder, tmp_path / "reader")
    assert not (tmp_path / "reader").exists()


def test_an_unfinished_run_is_refused(run_folder, tmp_path):
    result = json.loads((run_folder / "result.json").read_text()) | {"status": "interrupted"}
    (run_folder / "result.json").write_text(json.dumps(result))
    with pytest.raises(UserError, match="is not a completed run"):
        export(run_folder, tmp_path / "reader")
