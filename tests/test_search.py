"""A search proposes, prunes and remembers; what it finds is a preset; the test split has no say."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dlcourse.config import choices, compose
from dlcourse.errors import UserError
from dlcourse.sweeps.search.space import as_word, read_space

TINY = """
# @package _global_
defaults:
  - sampler/tpe@search
  - override /data: digits8
  - override /model: mlp
  - _self_
plots: false
threads: 1
data: {validation: 0.2}
trainer: {max_epochs: 3, accelerator: cpu, precision: 32-true}
search:
  trials: 7
  startup: 3
  space:
    data:
      batch_size: {choices: [64, 128]}
    model:
      optimizer:
        choices: [adam, sgd]
        lr: {low: 1e-6, high: 1e-1, log: true}
      schedule: {choices: [cosine, constant]}
      net: {depth: {low: 1, high: 3}, dropout: {choices: [0, 0.25]}}
"""


@pytest.fixture
def words(tmp_path):
    """A command line that searches the space above, which lies in a folder of the user's own."""
    (tmp_path / "own" / "search").mkdir(parents=True)
    (tmp_path / "own" / "search" / "tiny.yaml").write_text(TINY)
    return ["-m", "--config-dir", str(tmp_path / "own"), "search=tiny", "name=found"]


def study(folder):
    from dlcourse.sweeps.search.study import load

    return load(folder / "search.journal")


def results(folder):
    found = {int(path.parent.name): json.loads(path.read_text()) for path in folder.glob("*/result.json")}
    return dict(sorted(found.items()))


@pytest.mark.whole
def test_a_search_finds_prunes_and_leaves_a_preset_that_repeats_the_best(command, words):
    code, out, error = command("train", *words)
    folder = Path("outputs/sweeps/found")
    assert code == 0, error
    found = results(folder)
    assert [*found] == [*range(7)]
    assert {"pruned", "completed"} == {result["status"] for result in found.values()}
    completed = {n: r["metrics"]["val/accuracy"] for n, r in found.items() if r["status"] == "completed"}
    best = max(completed, key=lambda number: completed[number])
    assert f"best trial: {best}, chosen by val/accuracy" in out
    # no trial has seen the test split, and the best one alone was tested, once
    assert not any(name.startswith("test/") for result in found.values() for name in result["metrics"])
    (tested,) = folder.rglob("evaluations/*/result.json")
    assert tested.parents[2].name == str(best)
    for name in ("history.png", "importance.png", "sweep.png"):
        assert (folder / name).stat().st_size > 5000, name
    with (folder / "sweep.csv").open() as file:
        rows = {int(row["job"]): row for row in csv.DictReader(file)}
    assert {n for n, row in rows.items() if row["status"] == "pruned"} == set(found) - set(completed)

    text = (folder / "experiment" / "best.yaml").read_text()
    figure = json.loads(tested.read_text())["metrics"]["test/accuracy"]
    assert text.splitlines()[3].startswith(f"# Measured: {figure:.4g} test/accuracy")
    code, out, error = command("train", "--config-dir", str(folder), "experiment=best", "trainer=cpu", "plots=false")
    assert code == 0, error
    (again,) = Path("outputs").glob("20*/*/result.json")
    again = json.loads(again.read_text())
    assert again["metrics"]["val/accuracy"] == completed[best] and again["metrics"]["test/accuracy"] == figure

    journal = (folder / "search.journal").read_text()
    assert "already contains a s" in command("train", *words)[2]  # without resume=true
    assert (folder / "search.journal").read_text() == journal
    code, out, error = command("train", *words, "resume=true", "search.trials=9")
    assert code == 0 and [*results(folder)] == [*range(9)], error
    assert {n: r for n, r in results(folder).items() if n < 7} == found  # nothing twice


@pytest.mark.slow
def test_a_search_goes_on_after_a_kill_as_if_there_had_been_none(command, words, tmp_path):
    words = [*words, "search.pruner=none", "search.trials=4", "trainer.max_epochs=15"]
    call = [sys.executable, "-m", "dlcourse.train", *words]
    folder = Path("outputs/sweeps/found")
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 100
    while not (folder / "1" / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    code, _, error = command("train", *words, "resume=true")
    assert code == 1 and f"process {process.pid} is running in" in error
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = results(folder)
    assert len(before) < 4
    code, _, error = command("train", *words, "resume=true")
    assert code == 0, error
    after = results(folder)
    assert [*after] == [0, 1, 2, 3] and all(r["status"] == "completed" and r["epochs"] == 15 for r in after.values())
    assert {n: after[n] for n in before} == before
    assert [len(trial.intermediate_values) for trial in study(folder).trials] == [15] * 4
    # an undisturbed search proposes and finds the same
    code, _, error = command("train", *words[:-3], "name=other", *words[-3:])
    assert code == 0, error
    other = results(Path("outputs/sweeps/other"))
    assert [r["metrics"] for r in other.values()] == [r["metrics"] for r in after.values()]


@pytest.mark.slow
def test_a_failing_trial_is_recorded_and_the_search_goes_on(command, words):
    wild = "'+search.space.model.net.activation={choices: [relu, nonsense]}'".strip("'")
    code, out, error = command("train", *words, wild, "search.pruner=none", "search.trials=6")
    assert code == 0, error
    found = results(Path("outputs/sweeps/found"))
    failed = [r for r in found.values() if r["status"] == "failed"]
    assert len(found) == 6 and failed and all("nonsense" in r["error"] for r in failed)
    assert f"{6 - len(failed)} completed, 0 pruned, {len(failed)} failed" in out


def test_a_search_whose_trials_all_fail_says_why(command, words):
    code, _, error = command("train", *words, "model.net.activation=nonsense", "search.trials=2")
    assert code == 1 and "all trials of outputs/sweeps/found failed; the first error: " in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_a_space_of_few_choices_ends_when_it_is_searched(command, words):
    fixed = ["model.optimizer.lr=0.01", "model/optimizer=adam", "model/schedule=cosine", "model.net.depth=1"]
    words = [*words, *fixed, "model.net.dropout=0", "search.trials=null", "search.minutes=5", "trainer.max_epochs=1"]
    code, out, error = command("train", *words)
    assert code == 0, error
    assert len(results(Path("outputs/sweeps/found"))) == 2 and "the last proposals repeated earlier trials" in out


@pytest.mark.slow
def test_the_minutes_of_all_parts_count(command, words):
    code, out, error = command("train", *words, "search.trials=2", "trainer.max_epochs=1")
    assert code == 0, error
    code, out, error = command(
        "train", *words, "search.trials=50", "search.minutes=0", "trainer.max_epochs=1", "resume=true"
    )
    assert code == 0 and "the search ends" in out, error
    assert len(results(Path("outputs/sweeps/found"))) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["search=tinny"], "search=tinny is unknown"),
        (
            ["+search.space.model.net.drop_out.choices=[0]"],
            "unknown key model.net.drop_out; did you mean model.net.dropout?",
        ),
        (["search.space.model.optimizer.lr.low=1"], "search.space.model.optimizer.lr: low=1 is above high=0.1"),
        (["search.space.model.optimizer.lr.low=0"], "log needs low above 0, but low=0"),
        (["search.space.model.optimizer.lr.low=small"], "low=small is not a number"),
        (["search.space.model.schedule.choices=[]"], "search.space.model.schedule needs a list of choices"),
        (["search.space.model.schedule.choices=[cosin]"], "model/schedule=cosin is unknown; did you mean cosine?"),
        (["+search.space.model.net.width=5"], "search.space.model.net.width=5 is neither a range nor choices"),
        (["~search.space"], "search.space is empty"),
        (["seed=0,1"], "seed=0,1 has several values, but a search chooses values itself"),
        (["model.optimizer.lr=1e-3,1e-2"], "has several values, but a search chooses values itself"),
        (["search.trials=0"], "search.trials=0 is not an integer of 1 or more"),
        (["search.trials=null"], "a search needs a budget"),
        (["search.pruner=medain"], "search.pruner=medain is unknown: use median, hyperband, none"),
        (["data.validation=0"], "a search needs validation data, but data.validation=0"),
    ],
)
def test_a_wrong_search_gets_one_sentence_and_leaves_nothing(command, words, more, said):
    code, _, error = command("train", *words, *more)
    assert code == 1 and said in error, error
    assert error.startswith("error: ") and len(error.strip().splitlines()) == 1
    assert not Path("outputs/sweeps/found").exists()


def test_a_search_on_clocks_needs_held_out_ones(command):
    code, _, error = command("train", "-m", "search=clocks", "data.split=[80,0,20]", "name=found")
    assert code == 1 and "for example data.split=[80,10,10]" in error
    assert not Path("outputs/sweeps/found").exists()


def test_a_search_without_m_says_how(command, words):
    code, _, error = command("train", *words[1:])
    assert code == 1 and "add -m, as in train -m search=vgg_block name=NAME" in error
    code, _, error = command("train", "-m", "search=vgg_block", "search.trails=3")
    assert code == 1 and "unknown key search.trails; did you mean search.trials?" in error


def test_a_search_without_optuna_says_how_to_install_it(command, words, monkeypatch):
    monkeypatch.setattr("dlcourse.sweeps.search.study.find_spec", lambda name: None)
    code, _, error = command("train", *words)
    assert code == 1 and "pip install 'optuna" in error and len(error.strip().splitlines()) == 1


@pytest.mark.slow
def test_another_space_is_not_gone_on_with(command, words):
    words = [*words, "search.trials=1", "trainer.max_epochs=1"]
    assert command("train", *words)[0] == 0
    for more, said in (
        ("search.space.model.optimizer.lr.high=0.2", "was started with another space for model.optimizer.lr"),
        ("model.optimizer.lr=0.1", "was started with another space for model.optimizer.lr"),
        ("seed=3", "was started with another value for seed"),
        ("search.seed=3", "was started with seed=0, not 3"),
    ):
        code, _, error = command("train", *words, more, "resume=true", "search.trials=3")
        assert code == 1 and said in error, error
    assert len(results(Path("outputs/sweeps/found"))) == 1


@pytest.mark.whole
@pytest.mark.parametrize("name", choices("search"))
def test_each_shipped_space_holds_for_its_model(name):
    cfg = compose(f"search={name}")
    space = {parameter.key: parameter for parameter in read_space(cfg, [])}
    assert "model.optimizer.lr" in space and space["model/optimizer"].choices
    for parameter in space.values():  # the ends of each range, and each choice, compose
        values = parameter.choices or (parameter.low, parameter.high)
        if parameter.key != "model/optimizer":
            for value in values:
                compose(f"search={name}", f"{parameter.key}={value}")
        for value in parameter.choices if parameter.key == "model/optimizer" else ():
            compose(f"search={name}", f"model/optimizer={value}", *(f"{k}=0.01" for k in space if ".optimizer." in k))


def test_what_the_command_line_fixes_is_not_searched():
    cfg = compose("search=vgg_block")
    assert "model.optimizer.lr" not in {p.key for p in read_space(cfg, ["model.optimizer.lr"])}
    with pytest.raises(UserError, match="is empty"):
        read_space(cfg, [p.key for p in read_space(cfg, [])])


def test_a_step_below_1_makes_a_range_of_floats():
    cfg = compose("search=vgg_block", "+search.space.model.label_smoothing={low: 0, high: 1, step: 0.1}")
    (found,) = [p for p in read_space(cfg, []) if p.key == "model.label_smoothing"]
    assert isinstance(found.low, float) and found.step == 0.1


def test_values_are_written_as_the_command_line_reads_them():
    assert [*map(as_word, ([[64, 128]], True, None, "a b", 0.5, {"a": 1}))] == [
        "[[64,128]]", "true", "null", "'a b'", "0.5", "{a:1}",
    ]  # fmt: skip
    assert yaml.safe_load(as_word([1, [2.5, False]])) == [1, [2.5, False]]
