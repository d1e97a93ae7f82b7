"""A sweep's jobs are known by their overrides, wherever they stand in the command."""

import json
from pathlib import Path

import pytest

from dlcourse.cli.patterns import expand_patterns
from dlcourse.errors import UserError
from dlcourse.runs.result import Result, record_failure, write_result
from dlcourse.sweeps.jobs import assign_folders, identity, read_jobs, split_overrides

FOLDER = Path("outputs/sweeps/some")
GROUPS = {"experiment": ["cifar10/fast", "mnist/fast", "mnist/fast4"], "model": ["clock_cyclic", "mlp"]}


def end(name, overrides, status="completed"):
    (FOLDER / name).mkdir(parents=True)
    write_result(FOLDER / name, Result("train", status, overrides=overrides))


def test_order_spelling_and_what_is_only_said_make_no_other_job():
    assert identity(["lr=1e-3", "seed=0"]) == identity(["seed=0", "lr=0.001", "resume=true", "name=x", "plots=false"])
    assert identity(["lr=0.1"]) != identity(["lr=0.2"])
    assert identity(["+a='x y'"]) == identity(["a=x y"])
    assert split_overrides(["a=123456789", "b=true", "c=a=b"]) == {"a": "123456789", "b": "true", "c": "a=b"}


def test_a_job_finds_its_folder_when_the_order_changes_and_values_are_added():
    first = assign_folders(FOLDER, [["seed=0", "lr=1"], ["seed=0", "lr=2"]], resume=False)
    assert list(first) == ["0", "1"]
    end("1", first["1"])
    again = assign_folders(FOLDER, [["lr=3", "seed=0"], ["lr=2", "seed=0"], ["lr=1", "seed=0"]], resume=True)
    assert again == {"2": ["lr=3", "seed=0"], "0": ["lr=1", "seed=0"]}  # job 1 has ended
    assert list(read_jobs(FOLDER)) == ["0", "1", "2"]


def test_what_failed_or_was_killed_is_left_to_run_and_a_half_written_result_too():
    assign_folders(FOLDER, [[f"seed={n}"] for n in range(4)], resume=False)
    end("0", ["seed=0"])
    end("1", ["seed=1"], "failed")
    end("2", ["seed=2"], "interrupted")
    (FOLDER / "3").mkdir()
    (FOLDER / "3" / "result.json").write_text('{"schema": 1, "sta')
    assert list(assign_folders(FOLDER, [[f"seed={n}"] for n in range(4)], resume=True)) == ["1", "2", "3"]


def test_a_sweep_without_a_plan_is_read_from_its_folders():
    end("0", ["lr=1"])
    (FOLDER / "1").mkdir()
    (FOLDER / "1" / "config.yaml").write_text("begun: {overrides: ['lr=2']}\n")
    assert read_jobs(FOLDER) == {"0": ["lr=1"], "1": ["lr=2"]}
    assert assign_folders(FOLDER, [["lr=2"], ["lr=1"]], resume=True) == {"1": ["lr=2"]}


@pytest.mark.parametrize(
    ("jobs", "resume", "said"),
    [
        ([["lr=1"], ["lr=1.0"]], True, "the sweep contains the same job twice"),
        ([["lr=1"]], False, "already contains a sweep: continue it with resume=true"),
        ([["lr=1", "debug=fast"]], True, "none of its jobs has debug=fast"),
    ],
)
def test_what_does_not_belong_into_the_folder_is_refused(jobs, resume, said):
    assign_folders(FOLDER, [["lr=1"]], resume=False)
    before = (FOLDER / "sweep.json").read_text()
    with pytest.raises(UserError, match=said):
        assign_folders(FOLDER, jobs, resume)
    assert (FOLDER / "sweep.json").read_text() == before


def test_a_folder_that_is_no_sweep_is_refused_and_an_empty_one_taken():
    FOLDER.mkdir(parents=True)
    assert assign_folders(FOLDER, [["lr=1"]], resume=True)
    other = Path("mine")
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    for resume in (True, False):
        with pytest.raises(UserError, match="mine is not a sweep folder and contains other files"):
            assign_folders(other, [["lr=1"]], resume)


def test_of_two_sweeps_that_begin_at_once_one_gets_the_folder(monkeypatch):
    monkeypatch.setattr("dlcourse.sweeps.jobs.check_folder", lambda *_: None)  # both have looked before either writes
    monkeypatch.setattr("dlcourse.sweeps.jobs.read_jobs", lambda _: {})
    assign_folders(FOLDER, [["lr=1"]], resume=False)
    with pytest.raises(UserError, match="already contains a sweep"):
        assign_folders(FOLDER, [["lr=1"]], resume=False)


def test_a_failure_is_in_the_jobs_log_and_result_and_never_covers_a_completed_one():
    record_failure(FOLDER / "0", "no disk", ["lr=1"], "train")
    assert json.loads((FOLDER / "0" / "result.json").read_text())["error"] == "no disk"
    assert "failed: no disk" in (FOLDER / "0" / "train.log").read_text()
    end("1", ["lr=2"])
    record_failure(FOLDER / "1", "no picture", ["lr=2"], "train")
    assert json.loads((FOLDER / "1" / "result.json").read_text())["status"] == "completed"


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("experiment=mnist/*", "experiment=mnist/fast,mnist/fast4"),
        ("experiment=glob(mnist/*)", "experiment=mnist/fast,mnist/fast4"),
        ("experiment=glob([mnist/*,cifar10/*],exclude=*4)", "experiment=mnist/fast,cifar10/fast"),
        ("experiment=cifar10/fast,mnist/fast?", "experiment=cifar10/fast,mnist/fast4"),
        ("model=mlp", "model=mlp"),
        ("model=[mlp,clock_cyclic]", "model=[mlp,clock_cyclic]"),
        ("data.path=a*", "data.path=a*"),
    ],
)
def test_a_pattern_stands_for_the_choices_that_it_matches(word, expanded, capsys):
    assert expand_patterns([word, "-m"], GROUPS, swept=True) == [expanded, "-m"]
    assert ("matches" in capsys.readouterr().out) == (word != expanded)


def test_a_pattern_without_match_or_without_a_sweep_is_refused():
    with pytest.raises(UserError, match=r"experiment=mnits/\* does not match any experiment; did you mean mnist/fast"):
        expand_patterns(["experiment=mnits/*"], GROUPS, swept=True)
    with pytest.raises(UserError, match="matches 2 choices: add -m"):
        expand_patterns(["experiment=mnist/*"], GROUPS, swept=False)
    assert expand_patterns(["model=clock*"], GROUPS, swept=False) == ["model=clock_cyclic"]


@pytest.mark.parametrize("plan", ['{"jobs": null}', '{"jobs": [1]}', "[]", "{"])
def test_a_damaged_plan_is_named(tmp_path, plan):
    (tmp_path / "sweep.json").write_text(plan)
    with pytest.raises(UserError, match="sweep.json cannot be read"):
        read_jobs(tmp_path)


def test_a_sweep_whose_jobs_all_fail_fails(command, tmp_path):
    """A verb without a summary at the end of its sweep."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("model: 3")
    code, _, error = command("export", "-m", "run=a,b", "format=onnx")
    assert code == 1 and error.strip().endswith("2 jobs failed: 0, 1")
    (first, second) = sorted(Path("outputs/sweeps").glob("*/*/result.json"))
    assert {json.loads(path.read_text())["verb"] for path in (first, second)} == {"export"}
