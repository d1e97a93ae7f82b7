"""Runs from a config to a folder: its content, resuming, evaluating again, and stored runs that cannot be trusted."""

import csv
import json
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

import dlcourse
from dlcourse.commands.evaluate import evaluate
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.build import build_data, build_model, load_run
from dlcourse.plots.run_page import charts
from dlcourse.runs.files import read_rows, write_text
from dlcourse.runs.folders import in_use
from dlcourse.runs.result import read_result
from tests.conftest import NET, PINNED, TINY

MODELS = ["clock_regression", "clock_classification", "clock_multihead", "clock_cyclic"]

STORED = Path(__file__).parent / "stored"


@pytest.mark.parametrize("name", [MODELS[0], *(pytest.param(name, marks=pytest.mark.whole) for name in MODELS[1:])])
def test_every_model_trains_and_leaves_a_whole_run_folder(tiny_run, name):
    drawn = name in ("clock_multihead", "clock_cyclic")  # with and without probabilities; drawing takes long
    result = tiny_run(f"model={name}", f"plots={drawn}")
    folder = Path(result["folder"])
    assert result["status"] == "completed" and result["model"] == name and result["data"] == "clocks"
    assert json.loads((folder / "result.json").read_text()) == {k: v for k, v in result.items() if k != "folder"}
    for split in ("train", "val", "test"):
        assert 0 <= result["metrics"][f"{split}/error_minutes"] <= 360
        assert 0 <= result["metrics"][f"{split}/within_one_minute"] <= 1
    for file in ("config.yaml", "train.log", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert (folder / file).stat().st_size > 0, file
    assert result["references"] and result["parameters"] > 0 and result["epochs"] == 1
    pictures = {path.name for path in (folder / "plots").glob("*.png")}
    if not drawn:
        assert not pictures
        return
    assert {"curves.png", "errors.png", "worst.png", "samples.png"} <= pictures
    assert ("distributions.png" in pictures) == (name == "clock_multihead")
    for sheet in ("worst.png", "samples.png"):
        grey = np.asarray(Image.open(folder / "plots" / sheet).convert("L"))
        assert (grey < 250).mean() > 0.3, f"{sheet} is nearly blank"


def test_loaded_again_it_gives_the_same_figures(tiny_run, tmp_path):
    result = tiny_run()
    cfg = compose(f"run='{result['folder']}'", "trainer=cpu", "trainer.limit_test_batches=2", verb="evaluate")
    again = evaluate(cfg, tmp_path / "again")
    assert again.metrics["test/error_minutes"] == result["metrics"]["test/error_minutes"]
    assert (tmp_path / "again" / "plots" / "worst.png").exists()
    stored = OmegaConf.load(Path(result["folder"]) / "config.yaml")
    assert stored.trainer.precision == "32-true" and stored.trainer.max_epochs == 1
    assert "${" not in (Path(result["folder"]) / "config.yaml").read_text()


def test_evaluates_on_other_data(run_folder, tmp_path):
    words = ["data=clocks", "data.count=60", "data.size=64", "plots=false", "trainer=cpu"]
    other = evaluate(compose(f"run='{run_folder}'", *words, verb="evaluate"), tmp_path / "other")
    assert 0 <= other.metrics["test/error_minutes"] <= 360
    assert not (tmp_path / "other" / "plots").exists()


def test_a_page_shows_the_training_if_asked(tiny_run, monkeypatch):
    folder = Path(tiny_run("logger=[csv,live]")["folder"])
    assert "The training has ended" in (folder / "live.html").read_text()
    assert "watch it learn: file://" in (folder / "train.log").read_text()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert not (Path(tiny_run(folder="other")["folder"]) / "live.html").exists()  # plots=false


@pytest.mark.whole
def test_a_generative_run_is_evaluated_in_another_feature_space(command, data_dir):
    words = [f"run={STORED / 'vae'}", f"data_dir={data_dir}", "trainer=cpu", "plots=false"]
    for number, (features, name) in enumerate(
        [("random", "random_conv_seed0"), (STORED / "autoencoder", "autoencoder_toons_")]
    ):
        code, _, error = command("evaluate", *words, f"features={features}", f"hydra.run.dir={number}")
        assert code == 0, error
        assert read_result(Path(str(number))).features.startswith(name)
    assert "features=vgg is" in command("evaluate", *words, "features=vgg")[2]
    words[0] = f"run={STORED / 'clock'}"
    assert "features=random needs a generative model" in command("evaluate", *words, "features=random")[2]


@pytest.mark.slow
def test_tensorboard_is_written_beside_the_csv(tiny_run):
    folder = Path(tiny_run("logger=[csv,tensorboard]", "plots=false")["folder"])
    assert list((folder / "tensorboard").glob("events.*")) and (folder / "metrics.csv").exists()
    alone = Path(tiny_run("logger=tensorboard", "plots=false", folder="alone")["folder"])
    assert (alone / "metrics.csv").exists()


def test_early_stopping_ends_before_the_budget(tiny_run):
    words = ["callbacks=early_stopping", "callbacks.early_stopping.patience=1", "model.optimizer.lr=1e-9"]
    assert tiny_run(*words, "trainer.max_epochs=20", "plots=false")["epochs"] < 20


@pytest.mark.parametrize("word", ["callbacks=early_stopping", "model/schedule=plateau"])
def test_what_waits_for_a_validation_is_refused_where_none_is_held_out(tmp_path, word):
    words = ["model=mlp", "data=digits8", "data.validation=0", word, *PINNED]
    with pytest.raises(UserError, match=r"monitors val/\w+, but the data has not been split for validation: "):
        run(compose(*words), folder=tmp_path / "out")
    assert not (tmp_path / "out" / "config.yaml").exists()


def test_resume_of_a_completed_run_gives_its_result(tiny_run):
    result = tiny_run()
    stamp = (Path(result["folder"]) / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    assert tiny_run(resume=True) == result
    assert (Path(result["folder"]) / "checkpoints" / "best.ckpt").stat().st_mtime_ns == stamp


def test_a_folder_with_a_run_is_refused_and_so_are_changed_keys(tiny_run):
    tiny_run()
    with pytest.raises(UserError, match="already contains a run"):
        tiny_run()
    with pytest.raises(UserError, match="started with model.optimizer.lr=0.008, not 0.5"):
        tiny_run("model.optimizer.lr=0.5", resume=True)


def test_other_commands_do_not_write_into_a_run(run_folder):
    before = (run_folder / "result.json").read_bytes()
    for verb, words in (("evaluate", []), ("sample", []), ("embed", ["method=pca"])):
        with pytest.raises(UserError, match="contains a run, whose files would be replaced"):
            start = getattr(import_module(f"dlcourse.commands.{verb}"), verb)
            start(compose(f"run='{run_folder}'", *words, verb=verb), run_folder)
    assert (run_folder / "result.json").read_bytes() == before


def test_a_second_process_is_refused_while_one_trains(tiny_run, tmp_path):
    with in_use(tmp_path), pytest.raises(UserError, match="another process is training in"):
        tiny_run(folder=".")
    assert not list(tmp_path.iterdir())
    with in_use(tmp_path):
        pass


def test_a_disk_without_locks_is_named(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("filelock.FileLock.acquire", Mock(side_effect=NotImplementedError("no flock")))
    with in_use(tmp_path):
        pass
    assert "cannot be locked (no flock): do not start a second training in it" in caplog.text


def test_a_run_from_python_records_the_words_of_compose(tmp_path, capsys):
    words = ["model=mlp", "data=digits8", "debug=fast", "trainer=cpu", "plots=false"]
    result = run(dlcourse.compose(*words), folder=tmp_path / "run")
    assert result["overrides"] == words
    assert "ignore its figures" in capsys.readouterr().out
    assert "overrides" not in OmegaConf.load(tmp_path / "run" / "config.yaml")
    again = dlcourse.compose(*words, "trainer=cpu", "data_dir=elsewhere")
    assert run(again, folder=tmp_path / "run", resume=True)["metrics"] == result["metrics"]


def test_objects_can_be_given_instead_of_a_config(tmp_path):
    cfg = compose("model=clock_cyclic", *TINY, *NET, *PINNED)
    data = build_data(cfg)
    data.setup()
    plain = compose("debug=fast", "trainer=cpu", "plots=false", *PINNED)
    result = run(plain, model=build_model(cfg, data.task), data=data, folder=tmp_path / "objects")
    assert result["status"] == "completed" and result["rendered"]
    with pytest.raises(UserError, match="set trainer.max_epochs"):
        run(compose(*PINNED), model=build_model(cfg, data.task), data=data, folder=tmp_path / "endless")


def test_a_run_that_never_validated_tests_its_last_weights(tiny_run):
    result = tiny_run("trainer.max_steps=2", "plots=false")
    assert result["status"] == "completed" and 0 <= result["metrics"]["test/error_minutes"] <= 360
    rows = list(csv.DictReader((Path(result["folder"]) / "metrics.csv").read_text().splitlines()))
    assert [bool(row["train/loss"]) for row in rows] == [True]  # although the epoch ended early


def test_rendered_figures_are_not_called_better(tiny_run, capsys):
    tiny_run("plots=false")
    output = capsys.readouterr().out
    assert "measured on rendered images" in output and "better" not in output and "worse" not in output


def test_checkpoints_hold_tensors_and_plain_values_only(run_folder):
    for name in ("best", "last"):
        checkpoint = torch.load(run_folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert checkpoint["dlcourse"]["task"]["kind"] == "time"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "checkpoints" / "best.ckpt").write_bytes(b"no"), "is damaged or not a checkpoint"),
        (lambda f: (f / "checkpoints" / "best.ckpt").unlink(), "not found"),
        (lambda f: (f / "config.yaml").unlink(), "is not a run folder: config.yaml not found"),
        (lambda f: (f / "config.yaml").write_text("model: ${oc.env:HOME}"), "not a config that dlcourse wrote"),
        (lambda f: (f / "config.yaml").write_text("model: {_target_: os.system, command: id}"), "asks for os.system"),
        (lambda f: torch.save({"state_dict": {}}, f / "checkpoints" / "best.ckpt"), "not a checkpoint of dlcourse"),
    ],
)
def test_a_spoilt_run_is_named(run_folder, spoil, words):
    spoil(run_folder)
    with pytest.raises(UserError, match=words):
        load_run(run_folder)


def test_a_checkpoint_of_another_model_is_refused(run_folder, tiny_run):
    first, second = run_folder, Path(tiny_run("model=clock_cyclic", folder="b")["folder"])
    (second / "checkpoints" / "best.ckpt").replace(first / "checkpoints" / "best.ckpt")
    with pytest.raises(UserError, match="does not match the model"):
        load_run(first)


def test_a_failed_run_says_so_in_its_result(tiny_run, tmp_path, monkeypatch):
    from dlcourse.models.clock import ClockReader

    def fail(*_):
        raise UserError("the disk is full: free some space")

    with pytest.raises(UserError, match="num_classes=721 is out of range"):
        tiny_run("model=clock_classification", "model.num_classes=721")
    assert not (tmp_path / "run").exists()  # it was refused, nothing failed
    monkeypatch.setattr(ClockReader, "compute_metrics", fail)
    with pytest.raises(UserError):
        tiny_run()
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["status"], result["error"]) == ("failed", "the disk is full: free some space")


def test_a_crash_keeps_its_traceback_in_the_log(tiny_run, tmp_path, monkeypatch):
    from dlcourse.models.clock import ClockReader

    monkeypatch.setattr(ClockReader, "compute_metrics", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tiny_run()
    assert "Traceback" in (tmp_path / "run" / "train.log").read_text()
    assert json.loads((tmp_path / "run" / "result.json").read_text())["error"].startswith("ZeroDivisionError")


def test_cuda_where_there_is_none_is_refused(tiny_run):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(UserError, match="CUDA device not found"):
        tiny_run("trainer=gpu", "trainer.max_epochs=1")


def test_bytes_of_a_path_that_are_not_utf8_can_be_written_and_read(tmp_path):
    write_text(tmp_path / "a.json", json.dumps({"path": "caf\udce9"}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text("utf8")) == {"path": "caf\udce9"}


def test_a_row_with_too_many_cells_is_drawn(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,train/loss\n0,1.5,7\n1,1.0\n")
    assert [name for name, _ in charts(read_rows(tmp_path / "metrics.csv"))] == ["loss"]
