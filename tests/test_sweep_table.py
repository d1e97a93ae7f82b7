"""The summary of a sweep, made from results that were never trained: order, seeds, margin, pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcourse.runs.result import Result, write_result
from dlcourse.sweeps.results import failures, read_sweep
from dlcourse.sweeps.summary import summarise
from dlcourse.sweeps.table import configuration_rows, sweep_rows, verdicts

FOLDER = Path("outputs/sweeps/made")
G3 = {"id": "G3", "metric": "test/error_minutes", "value": 83.0, "better": "lower"}


def job(number, overrides, curve=(), references=(), status="completed", error=None, **metrics):
    """A job's folder; metrics as test_accuracy=0.5."""
    folder = FOLDER / str(number)
    folder.mkdir(parents=True)
    named = {name.replace("_", "/", 1): value for name, value in metrics.items()}
    result = {"metrics": named, "references": list(references), "seconds": {"fit": 1.0}, "overrides": overrides}
    write_result(folder, Result("train", status, model="made", error=error).updated(**result))
    lines = [f"{epoch},{epoch},{value}" for epoch, value in enumerate(curve)]
    (folder / "metrics.csv").write_text("\n".join(["epoch,step,val/accuracy", *lines]) + "\n")


def test_rows_are_best_first_by_the_reference_and_failures_last():
    for number, minutes in enumerate((30.0, 10.0, None, 20.0)):
        if minutes is None:
            job(number, [f"model.num_classes={number}"], status="failed", error="no | such class")
        else:
            job(number, [f"model.num_classes={number}"], references=[G3], test_error_minutes=minutes, test_accuracy=0.1)
    header, rows = sweep_rows(FOLDER)
    sweep = read_sweep(FOLDER)
    assert (sweep.keys, sweep.metric) == (["model.num_classes"], "test/error_minutes")
    assert header == ["job", "model.num_classes", "test/error_minutes", "test/accuracy", "seconds", "status"]
    assert [row[0] for row in rows] == ["1", "3", "0", "2"] and rows[-1][-1] == "no | such class"
    summarise(FOLDER)
    page = (FOLDER / "sweep.md").read_text()
    assert "Sorted by test/error_minutes, smallest first." in page
    assert "- job 2 (model.num_classes=2): no | such class" in page and "no \\| such class |" in page


def test_more_is_better_where_no_reference_says_otherwise():
    for number, share in enumerate((0.5, 0.9, 0.7)):
        job(number, [f"k={number}"], test_accuracy=share)
    assert [job.name for job in read_sweep(FOLDER).jobs] == ["1", "2", "0"]


def test_folds_are_averaged_like_seeds():
    for fold, share in enumerate((0.8, 0.9)):
        job(fold, ["data.folds=2", f"data.fold={fold}"], test_accuracy=share)
    header, rows = configuration_rows(read_sweep(FOLDER))
    assert rows[0][header.index("test/accuracy")] == "0.85 ± 0.071" and rows[0][header.index("n")] == 2


def test_seeds_are_folded_into_mean_and_deviation_and_the_csv_keeps_every_job(capsys):
    for number, (rate, seed, share) in enumerate([(1, 0, 0.8), (1, 1, 0.9), (2, 0, 0.5), (2, 1, 0.5)]):
        job(number, [f"lr={rate}", f"seed={seed}"], test_accuracy=share)
    job(4, ["lr=2", "seed=2"], status="failed", error="gone")
    header, rows = configuration_rows(read_sweep(FOLDER))
    assert header == ["jobs", "lr", "n", "test/accuracy", "seconds", "status"]
    assert rows[0][:4] == ["0, 1", "1", 2, "0.85 ± 0.071"]
    assert rows[1][:4] == ["2, 3, 4", "2", 2, "0.5 ± 0"] and rows[1][-1] == "2 of 3 completed"
    summarise(FOLDER)
    assert len(list(csv.DictReader((FOLDER / "sweep.csv").read_text().splitlines()))) == 5
    assert "0.85 ± 0.071" in capsys.readouterr().out
    assert [job.name for job in failures(read_sweep(FOLDER))] == ["4"]


def test_how_many_come_within_the_margin_and_a_warning_where_nothing_was_held_out():
    for number, minutes in enumerate((2.0, 2.1, 2.3)):
        job(number, [f"k={number}"], references=[G3], test_error_minutes=minutes)
    assert verdicts(read_sweep(FOLDER), 0.1) == [
        "2 of 3 configurations come within 10 % of the best by test/error_minutes: 2.2 or less.",
        "Sorted by the test figures, without validation data: the best figure is optimistic.",
    ]


def test_the_margin_of_a_share_counts_the_wrong_answers():
    for number, share in enumerate((0.9, 0.891, 0.88)):
        job(number, [f"k={number}"], test_accuracy=share)
    sweep = read_sweep(FOLDER)
    assert sweep.bound(0.1) == (pytest.approx(0.89), 2, 3)
    expected = "2 of 3 configurations have at most 10 % more errors than the best: test/accuracy of 0.89 or more."
    assert verdicts(sweep, 0.1)[0] == expected
    assert verdicts(sweep, 10)[0].startswith("3 of 3 configurations have at most 1000 % more errors")  # a bound below 0


def test_validation_ranks_and_the_test_figures_stand_beside():
    for number, (held_out, share) in enumerate([(0.8, 0.75), (0.9, 0.7)]):
        job(number, [f"k={number}"], val_accuracy=held_out, test_accuracy=share, train_accuracy=1.0)
    header, rows = sweep_rows(FOLDER)
    assert (read_sweep(FOLDER).metric, [row[0] for row in rows]) == ("val/accuracy", ["1", "0"])
    assert header[2:5] == ["val/accuracy", "test/accuracy", "train/accuracy"]
    assert verdicts(read_sweep(FOLDER), 0.1)[1] == "Validation chooses k=1: test/accuracy 0.7."


def values(count, *keys):
    names = {"number": [0.001, 0.01, 0.1, 1, 10], "other": [1, 2, 3], "word": ["adam", "sgd"], "seed": [0, 1]}
    found = [[]]
    for key in keys:
        found = [[*before, f"{key}={value}"] for before in found for value in names[key]]
    return found[:count]


@pytest.mark.parametrize(
    "keys",
    [("number",), ("number", "seed"), ("number", "other"), ("number", "word"), ("word", "seed"), ("seed",), ("word",),
     ("number", "other", "word")],
)  # fmt: skip
def test_every_kind_of_sweep_has_its_picture_and_the_curves_of_its_jobs(keys):
    for number, overrides in enumerate(values(99, *keys)):
        share = 0.5 + 0.4 * np.sin(number + 1) ** 2
        job(number, overrides, [0.3, 0.5, share], val_accuracy=share - 0.01, test_accuracy=share, train_accuracy=0.95)
    summarise(FOLDER)
    for name in ("sweep.png", "sweep_curves.png"):
        grey = np.asarray(Image.open(FOLDER / name).convert("L"))
        assert grey.shape[0] > 250 and grey.shape[1] > 250 and (grey < 200).mean() > 0.01, name


def test_an_interrupted_sweep_has_its_summary_on_request(capsys):
    (FOLDER).mkdir(parents=True)
    (FOLDER / "sweep.json").write_text('{"schema": 1, "jobs": {"0": ["k=1"], "1": ["k=2"], "2": ["k=3"]}}')
    job(0, ["k=1"], test_accuracy=0.5)
    (FOLDER / "1").mkdir()
    (FOLDER / "1" / "config.yaml").write_text("begun: {overrides: ['k=2']}\n")
    summarise(FOLDER)
    out = capsys.readouterr().out
    assert "unfinished" in out and "not run" in out and "completed" in out


def test_nothing_and_powers_of_ten_have_room_beside_each_other_on_the_axis(monkeypatch):
    for number, penalty in enumerate(("0", "1e-5", "1e-4", "1e-2")):
        job(number, [f"model.l1={penalty}"], test_accuracy=0.5 + number / 10)
    drawn = []
    monkeypatch.setattr("dlcourse.sweeps.plots.sweep.save", lambda figure, path: drawn.append(figure))
    summarise(FOLDER)
    axes = drawn[0].axes[0]
    at = axes.transData.transform([(place, 0.5) for place in axes.get_xticks()])[:, 0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1e-05", "0.0001", "0.01"]
    assert np.diff(at).min() > 0.1 * (at[-1] - at[0])
