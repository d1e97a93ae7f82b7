"""`report by=folder`: the runs of a class, one row for each student and experiment."""

import csv
from pathlib import Path

import pytest

from dlcourse.errors import UserError
from dlcourse.reporting import report


def test_one_row_for_each_student_and_experiment(make_run, tmp_path):
    make_run("class/anna/outputs/a", 0.98)
    make_run("class/anna/outputs/b", 0.96, seed=1)
    make_run("class/ben/outputs/a", 0.95, precision="bf16-mixed")
    make_run("class/ben/outputs/tried", 0.5, overrides=["experiment=mnist/fast", "debug=fast"])
    make_run("class/ben/outputs/broken", 0.4, status="failed")
    printed = "\n".join(report([tmp_path / "class"], tmp_path / "report", by="folder"))
    assert "mnist/fast: 96.00 ± 1.41 % over 2 folders" in printed
    with (tmp_path / "report/by_folder.csv").open(encoding="utf8") as file:
        anna, ben = csv.DictReader(file)
    assert (anna["folder"], anna["runs"], round(float(anna["mean"]), 4)) == ("anna", "2", 0.97)
    assert (ben["folder"], ben["runs"], ben["precision"], ben["sd"]) == ("ben", "1", "bf16-mixed", "")
    assert "| mnist/fast | anna | 2 | 97.00 ± 1.41 % |" in (tmp_path / "report/by_folder.md").read_text("utf8")


def test_several_folders_are_the_rows_in_their_order(make_run, tmp_path):
    for name in ("zoe", "anna"):
        make_run(f"{name}/outputs/a")
    list(report([tmp_path / "zoe", tmp_path / "anna"], tmp_path / "report", by="folder"))
    lines = (tmp_path / "report/by_folder.csv").read_text("utf8").splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == ["zoe", "anna"]


def test_what_cannot_be_grouped_is_refused(tmp_path):
    Path(tmp_path / "class").mkdir()
    with pytest.raises(UserError, match="does not contain subfolders"):
        list(report([tmp_path / "class"], tmp_path / "report", by="folder"))
    with pytest.raises(UserError, match="by=student is unknown: use by=folder"):
        list(report([tmp_path / "class"], tmp_path / "report", by="student"))


def test_folders_of_one_name_are_shown_with_their_paths(make_run, tmp_path):
    for student in ("anna", "ben"):
        make_run(f"{student}/outputs/a", 0.98)
    folders = [tmp_path / student / "outputs" for student in ("anna", "ben")]
    list(report(folders, tmp_path / "report", by="folder"))
    with (tmp_path / "report/by_folder.csv").open(encoding="utf8") as file:
        assert [row["folder"] for row in csv.DictReader(file)] == list(map(str, folders))
