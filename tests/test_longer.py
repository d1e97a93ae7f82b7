"""A completed run is trained for more epochs; its earlier result is kept."""

import csv
import json
from pathlib import Path

import pytest
import torch

from dlcourse.commands.resume import stored_config
from dlcourse.config import compose
from dlcourse.runs.result import read_result

DENSE = [
    *("model=mlp", "data=digits8", "data.batch_size=400", "data.validation=200", "model.net.widths=[8]"),
    *("model/optimizer=adamw", "model.optimizer.lr=0.03", "trainer=cpu", "trainer.precision=32-true", "plots=false"),
]


def rates(folder: str) -> list[str]:
    with Path(folder, "metrics.csv").open() as file:
        return [row["lr"] for row in csv.DictReader(file) if row["lr"]]


@pytest.mark.parametrize(
    "schedule", ["one_cycle", *(pytest.param(name, marks=pytest.mark.whole) for name in ("cosine", "exponential"))]
)
def test_a_schedule_continues_as_if_it_had_been_planned_so(command, schedule):
    words = [*DENSE, f"model/schedule={schedule}"]
    assert command("train", *words, "trainer.max_epochs=2", "hydra.run.dir=run")[0] == 0
    first = read_result(Path("run"))
    code, out, error = command("train", "run=run", "trainer.max_epochs=5")
    assert code == 0, error
    said = "schedule covers 5 epochs" if schedule != "exponential" else "learning rate continues with"
    assert f"continuing from epoch 2 to epoch 5; the {said}" in Path("run/train.log").read_text()
    assert "2 epochs" in out and "5 epochs" in out and f"{first.metrics['test/loss']:.4g}" in out
    assert command("train", *words, "trainer.max_epochs=5", "hydra.run.dir=planned")[0] == 0
    assert rates("run")[2:] == rates("planned")[2:] and len(rates("run")) == 5
    kept = json.loads(Path("run/result_2_epochs.json").read_text())
    done = read_result(Path("run"))
    assert kept["metrics"] == first.metrics and kept["epochs"] == 2
    assert done.epochs == 5 and done.metrics["train/loss"] < first.metrics["train/loss"]
    assert "trainer.max_epochs=5" in done.overrides and "trainer.max_epochs=2" not in done.overrides
    assert "2 epochs" in command("train", "run=run")[1]  # the result again, both of them


def test_without_validation_the_last_weights_are_tested_again(command):
    words = [*DENSE, "data.validation=0", "model/schedule=constant"]
    assert command("train", *words, "trainer.max_epochs=1", "hydra.run.dir=run")[0] == 0
    before = read_result(Path("run")).metrics["test/loss"]
    assert command("train", "run=run", "trainer.max_epochs=3")[0] == 0
    assert read_result(Path("run")).metrics["test/loss"] != before


def test_a_run_that_stopped_early_trains_on(command):
    words = [*DENSE, "model/schedule=constant", "callbacks=early_stopping", "callbacks.early_stopping.patience=1",
             "callbacks.early_stopping.monitor=val/accuracy", "callbacks.early_stopping.mode=min"]  # fmt: skip
    assert command("train", *words, "trainer.max_epochs=9", "hydra.run.dir=run")[0] == 0
    stopped = read_result(Path("run")).epochs
    assert stopped < 9
    assert command("train", "run=run", "trainer.max_epochs=10")[0] == 0
    assert read_result(Path("run")).epochs > stopped


def test_nets_that_have_all_solved_xor_stay_solved(command):
    words = ["experiment=xor/b2", "trainer=cpu", "plots=false", "hydra.run.dir=run"]
    assert command("train", *words)[0] == 0
    before = read_result(Path("run"))
    code, _, error = command("train", "run=run", f"trainer.max_epochs={before.epochs + 20}")
    assert code == 0, error
    assert read_result(Path("run")).metrics == before.metrics


def test_a_run_continues_on_another_device_and_machine(command):
    assert command("train", *DENSE, "trainer.max_epochs=1", "plots=false", "hydra.run.dir=run")[0] == 0
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace("accelerator: cpu", "accelerator: cuda"))
    words = ["run=run", "trainer=cpu", "data_dir=here"]
    stored = stored_config(config, compose(*words), words)
    assert stored.trainer.accelerator == "cpu" and stored.data_dir == "here"
    assert stored_config(config, compose("run=run"), ["run=run"]).trainer.accelerator == "cuda"


def test_what_cannot_be_continued_is_refused(command):
    assert command("train", *DENSE, "trainer.max_epochs=2", "trainer.max_steps=2", "hydra.run.dir=run")[0] == 0
    result = Path("run/result.json").read_text()
    for words, said in (
        (["trainer.max_epochs=2"], "run trains for 2 epochs: to train longer, set trainer.max_epochs to more than 2"),
        (["trainer.max_epochs=1"], "set trainer.max_epochs to more than 2"),
        (["trainer.max_epochs=many"], "set trainer.max_epochs to more than 2"),
        (["trainer.max_epochs=4"], "run ends after trainer.max_steps=2: start a new run"),
        (["trainer.max_epochs=4", "model.net.widths=[9]"], "was started with model.net.widths=[8], not [9]"),
        (["experiment=mnist/fast"], "run was started without experiment=mnist/fast: leave experiment out"),
        (["~checkpoints.best"], "run keeps the config that it was started with: remove"),
        (["hydra.run.dir=other"], "run='run' continues in its own folder: remove hydra.run.dir=other"),
        (["-m"], "train run='run': continue one run at a time, without -m"),
    ):
        code, _, error = command("train", "run=run", *words)
        assert code == 1 and said in error, error
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace("max_steps: 2", "max_steps: -1"))
    Path("run/checkpoints/last.ckpt").unlink()
    code, _, error = command("train", "run=run", "trainer.max_epochs=4")
    assert code == 1 and "last.ckpt not found, which a longer training continues from" in error
    assert Path("run/result.json").read_text() == result and "max_epochs: 2" in config.read_text()


def test_a_moved_run_keeps_its_best_checkpoint(command):
    words = [*DENSE, "trainer.max_epochs=3"]
    assert command("train", *words, "hydra.run.dir=here")[0] == 0
    Path("here").rename("there")
    state = torch.load("there/checkpoints/last.ckpt", weights_only=True)
    (key,) = [key for key in state["callbacks"] if key.startswith("ModelCheckpoint")]
    known = state["callbacks"][key]
    known["best_k_models"] = dict.fromkeys(known["best_k_models"], torch.tensor(2.0))  # no later epoch reaches it
    known["best_model_score"] = torch.tensor(2.0)
    torch.save(state, "there/checkpoints/last.ckpt")
    best = Path("there/checkpoints/best.ckpt").read_bytes()
    code, _, error = command("train", "run=there", "trainer.max_epochs=4")
    assert code == 0 and not Path("here").exists(), error
    assert Path("there/checkpoints/best.ckpt").read_bytes() == best
    after = torch.load("there/checkpoints/last.ckpt", weights_only=True)["callbacks"][key]
    assert after["best_model_score"] == 2 and after["best_model_path"] == str(
        Path("there/checkpoints/best.ckpt").resolve()
    )
