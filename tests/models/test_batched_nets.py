"""What nets that are trained together share: they run like every model, go on after a stop, refuse wrong words."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dlcourse.commands.evaluate import evaluate
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.build import build_model, load_checkpoint

POINTS = Task("xor", "classes", (2,), 0.5, 0.5, ("0", "1"))
DIGITS = Task("digits", "classes", (6,), 0.0, 1.0, ("a", "b", "c"))
XOR = ["model=xor", "data=xor", "trainer=cpu"]
SEARCH = ["model=xor_search", "data=xor", "trainer=cpu", "model.init=uniform", "model.scale=10", "model.hidden=3"]


def start(folder, *words, **more):
    return run(compose(*words), folder=folder, overrides=words, **more)


@pytest.mark.parametrize(
    ("words", "pictures"),
    [
        pytest.param(
            [*XOR, "model.restarts=8", "model.chunk=200"],
            {"learning.png", "iterations.png", "surface.png"},
            marks=pytest.mark.whole,
        ),
        pytest.param([*SEARCH, "model.attempts=20"], {"tries.png", "surface.png"}, marks=pytest.mark.whole),
        (["model=perceptron", "data=xor", "trainer=cpu", "model.seeds=3"], None),
    ],
)
def test_a_run_leaves_a_whole_folder_and_is_measured_again(tmp_path, words, pictures):
    plots = "plots=true" if pictures else "plots=false"
    result = start(tmp_path / "run", *words, "trainer.max_epochs=3", plots)
    folder = Path(result["folder"])
    assert json.loads((folder / "result.json").read_text())["status"] == "completed"
    assert 0 <= result["metrics"]["test/accuracy"] <= 1
    assert result["parameters"] == {"xor": 13, "xor_search": 13, "perceptron": 6}[result["model"]]
    for file in ("config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert (folder / file).stat().st_size > 0
    if pictures:
        assert {path.name for path in (folder / "plots").iterdir()} == pictures
    again = evaluate(compose(f"run='{folder}'", "trainer=cpu", plots, verb="evaluate"), tmp_path / "again")
    assert again.metrics == {k: v for k, v in result["metrics"].items() if k.startswith("test/")}


@pytest.mark.parametrize(
    "words",
    [
        [*XOR, "model.restarts=8", "model.chunk=250"],
        [*SEARCH, "model.attempts=2000", "model.chunk=1"],
        ["model=perceptron", "data=xor", "trainer=cpu", "model.seeds=3", "model.chunk=4", "model.update=online"],
    ],
)
def test_a_resumed_run_ends_like_an_undisturbed_one(tmp_path, stopped_in_epoch, words):
    words = [*words, "trainer.max_epochs=4", "plots=false"]
    whole = start(tmp_path / "whole", *words)
    assert whole["epochs"] == 4
    with stopped_in_epoch(2):
        start(tmp_path / "stopped", *words)
    resumed = run(compose(f"run='{tmp_path}/stopped'"), folder=tmp_path / "stopped", resume=True)
    assert resumed["metrics"] == whole["metrics"]
    first, second = (load_checkpoint(tmp_path / f / "checkpoints" / "best.ckpt") for f in ("whole", "stopped"))
    tensors = {k: v for k, v in first["state_dict"].items() if k != "_extra_state"}
    assert all(torch.equal(value, second["state_dict"][name]) for name, value in tensors.items())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=xor", "model.optimizer.lr=0"], "model.optimizer.lr=0 is not above 0: use for example 0.3"),
        (["model=xor", "model.optimizer.lr=-1"], "model.optimizer.lr=-1 is not above 0"),
        (["model=xor", "model.optimizer.lr=fast"], "lr=fast is not a number"),
        (["model=xor", "model.optimizer.lr=[0.3,0]"], "model.optimizer.lr=0 is not above 0"),
        (["model=xor", "model.init=[]"], "are empty lists"),
        (["model=perceptron", "model.optimizer.lr=fast"], "lr=fast is not a number"),
        (["model=xor", "model.restarts=0"], "model.restarts=0 is below 1: use for example 10"),
        (["model=xor", "model.hidden=0"], "model.hidden=0 is below 1"),
        (["model=xor", "model.hidden=2.5"], "hidden=2.5 is not an integer"),
        (["model=xor", "model.init=gauss"], "model.init=gauss is unknown: use normal or uniform"),
        (["model=xor", "model.stop=never"], "model.stop=never is unknown: use solved or mse"),
        (["model=xor", "model.scale=0"], "model.scale=0 is not above 0"),
        (["model=xor", "model.mse=0"], "model.mse=0 is not above 0"),
        (["model=xor", "model.chunk=0"], "model.chunk=0 is below 1"),
        (["model=xor", "model.start=[1,2]"], "model.start contains 2 weights, but a 2-3-1 net has 13"),
        (["model=xor_search", "model.attempts=0"], "model.attempts=0 is below 1"),
        (["model=xor_search", "model.hidden=-1"], "model.hidden=-1 is below 1"),
        (["model=xor_search", "model.init=x"], "model.init=x is unknown: use normal or uniform"),
        (["model=perceptron", "model.update=slow"], "model.update=slow is unknown: use batch or online"),
        (["model=perceptron", "model.seeds=0"], "model.seeds=0 is below 1"),
        (["model=perceptron", "model.patience=0"], "model.patience=0 is below 1"),
        (["model=perceptron", "model.optimizer.lr=0"], "model.optimizer.lr=0 is not above 0"),
    ],
)
def test_a_wrong_value_gets_one_sentence(words, said):
    with pytest.raises(UserError) as error:
        build_model(compose("data=xor", *words), POINTS)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("words", [XOR, SEARCH])
def test_a_device_without_float64_is_refused(words):
    model = build_model(compose(*words), POINTS)
    model._trainer = SimpleNamespace(
        precision=model.precisions[0], world_size=1, strategy=SimpleNamespace(root_device=torch.device("mps"))
    )
    with pytest.raises(UserError, match="does not run on Apple's GPU: use trainer=cpu"):
        model.setup("fit")


@pytest.mark.parametrize("name", ["xor", "xor_search"])
def test_data_that_does_not_fit_is_refused(name):
    cfg = compose(f"model={name}", "data=xor")
    with pytest.raises(UserError, match="need 2 features and 2 classes, but digits has 6 features and 3 classes"):
        build_model(cfg, DIGITS)
    with pytest.raises(UserError, match="needs classes, but clocks has time"):
        build_model(cfg, Task("clocks", "time", (1, 48, 48), 0.0, 1.0))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.precision=bf16-mixed"], "does not support trainer.precision=bf16-mixed: use 64-true"),
        (["trainer.precision=32-true", "model=xor_search", "trainer.devices=2"], "runs in one process only"),
        (["lr_find=true"], "lr_find=true does not support this model"),
    ],
)
def test_a_trainer_that_does_not_fit_is_refused(tmp_path, words, said, monkeypatch):
    if "trainer.devices=2" in words:  # no need to start a second process to hear it
        from lightning.pytorch import Trainer

        words = words[:-1]
        monkeypatch.setattr(Trainer, "world_size", 2)
    with pytest.raises(UserError, match=said):
        start(tmp_path / "run", *XOR, "model.chunk=10", "plots=false", *words)


def test_single_precision_is_what_is_trained_where_it_is_asked_for(tmp_path):
    words = [*XOR, "model.restarts=4", "model.chunk=20", "trainer.max_epochs=1", "plots=false"]
    for precision, kind in (("32-true", torch.float32), ("auto", torch.float64)):
        result = start(tmp_path / precision, *words, f"trainer.precision={precision}")
        state = load_checkpoint(Path(result["folder"]) / "checkpoints" / "best.ckpt")["state_dict"]
        assert state["net.weight"].dtype == kind and result["precision"] == str(kind)[-2:] + "-true"


@pytest.mark.whole
def test_a_sweep_ends_with_the_jobs_in_one_picture(command):
    words = ["-m", *XOR, "model.restarts=5", "model.chunk=300", "trainer.max_epochs=1", "plots=false"]
    code, out, error = command("train", *words, "model.optimizer.lr=0.3,0.8", "model.init=normal,uniform", "name=both")
    folder = Path("outputs/sweeps/both")
    assert code == 0, error
    assert (folder / "sweep.md").read_text().count("\n|") == 6 and "test/solved" in out
    assert (folder / "learning.png").stat().st_size > 20_000 and (folder / "sweep.png").exists()
