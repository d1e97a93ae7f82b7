"""A multirun ends with a table and a picture, and one failing job does not end it."""

import csv
from pathlib import Path

from tests.test_cli import RUN


def rows(folder):
    return list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))


def test_a_sweep_ends_with_csv_table_and_picture(command):
    words = ["-m", *RUN, "model=clock_classification", "model.num_classes=24,720", "name=classes"]
    code, out, error = command("train", *words)
    folder = Path("outputs/sweeps/classes")
    assert code == 0, error
    found = rows(folder)
    assert [row["model.num_classes"] for row in found] == ["24", "720"]
    assert all(row["status"] == "completed" and float(row["test/error_minutes"]) >= 0 for row in found)
    assert (folder / "sweep.png").stat().st_size > 5000
    assert (folder / "sweep.md").read_text().count("\n|") == 4
    assert "model.num_classes" in out and "everything is in outputs/sweeps/classes" in out
    code, _, error = command("train", *words)
    assert code == 1 and "holds a sweep already" in error
    assert command("train", *words, "resume=true")[0] == 0
    assert [row["model.num_classes"] for row in rows(folder)] == ["24", "720"] and "resume" not in rows(folder)[0]


def test_a_job_refused_before_it_began_has_its_row_too(command):
    code, _, error = command("train", "-m", *RUN, "data.count=5,120", "name=counts")
    assert code == 1 and "1 jobs failed: 0" in error
    found = rows(Path("outputs/sweeps/counts"))
    assert "data.count=5 is too few" in found[0]["status"] and found[1]["status"] == "completed"


def test_a_failing_job_is_reported_and_the_others_go_on(command):
    code, _, error = command(
        "train", "-m", *RUN, "model=clock_classification", "model.num_classes=7,24", "seed=0,1", "name=some",
    )  # fmt: skip
    assert code == 1 and "2 jobs failed: 0, 1" in error
    found = rows(Path("outputs/sweeps/some"))
    assert [row["status"] == "completed" for row in found] == [False, False, True, True]
    assert "does not divide 720" in found[0]["status"]
    assert (Path("outputs/sweeps/some") / "sweep.png").exists()
