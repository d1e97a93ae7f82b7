"""Robustness of a clock reader: bins, the hard subset, confidence, and the game that is made of it."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse.analysis import robustness
from dlcourse.analysis.robustness import binned, draw_clocks, hard_clocks, risks
from dlcourse.clocks.scene import SceneRanges
from dlcourse.data.clocks import Clocks


@pytest.fixture
def clocks(data_dir):
    return Clocks(str(data_dir), count=60, size=32)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(robustness, "PER_CURVE", 48)
    monkeypatch.setattr(robustness, "MINUTES", 48)


def test_answers_fall_into_their_bins():
    values = torch.tensor([0.0, 0.5, 3.9, 4.0, 8.0])
    error = torch.tensor([1.0, 3.0, 2.0, 10.0, 4.0])
    rows = binned("tilt", values, error, (0.0, 8.0), (0.0, 4.0))
    assert [row.count for row in rows] == [2, 0, 0, 1, 1, 0, 0, 1]
    assert rows[0].error_minutes == 2 and rows[0].within_one_minute == 0.5 and rows[0].standard_error == 1
    assert rows[3].error_minutes == 2 and rows[4].error_minutes == 10 and math.isnan(rows[1].error_minutes)
    assert [row.trained for row in rows] == [True] * 4 + [False] * 4


def test_the_surest_answers_come_first():
    rows = risks(torch.tensor([0.2, 0.9, 0.5, 0.8]), torch.tensor([300.0, 0.0, 2.0, 1.0]), steps=4)
    assert [row.coverage for row in rows] == [0.25, 0.5, 0.75, 1]
    assert [row.error_minutes for row in rows] == [0, 0.5, 1, 75.75]
    assert rows[2].confidence == pytest.approx(0.5) and rows[1].within_one_minute == 1


def test_a_curve_varies_one_factor_and_goes_beyond_what_is_trained_on(clocks):
    _, minutes, factors = draw_clocks(clocks, 300, 3, tilt=(0.0, 60.0))
    column = dict(zip(SceneRanges.factors(), factors.T, strict=True))
    assert column["tilt"].min() < 5 and column["tilt"].max() > 55
    low, high = clocks.ranges.zoom
    assert low <= column["zoom"].min() and column["zoom"].max() <= high
    assert set((minutes % 60).tolist()) == set(range(60))


def test_the_curve_of_reflections_begins_without_any(clocks, monkeypatch):
    monkeypatch.setattr(robustness, "PER_CURVE", 200)
    factors = [f for f in robustness.FACTORS["free"] if f.name == "reflection_strength"]
    monkeypatch.setattr(robustness, "FACTORS", {"free": factors})
    seen = []
    monkeypatch.setattr(
        robustness,
        "read_clocks",
        lambda model, pictures, minutes: seen.append(pictures) or {"minutes": minutes.float()},
    )
    first, second, *others = robustness.curves(None, clocks)  # ty: ignore[invalid-argument-type]
    assert 10 <= first.count <= 45 and first.trained and second.trained and not others[-1].trained
    assert first.count + second.count + sum(b.count for b in others) == 200


def test_the_hard_subset_is_upside_down_and_bright(clocks):
    pictures, minutes = hard_clocks(clocks, 40)
    assert pictures.shape == (40, 32, 32) and torch.equal(pictures, hard_clocks(clocks, 40)[0])
    factors = dict(zip(SceneRanges.factors(), draw_clocks(clocks, 40, 0, **robustness.HARD["free"])[2].T, strict=True))
    assert (abs(factors["azimuth"] - 180) <= 45).all() and (factors["reflection_strength"] >= 1).all()
    assert len(minutes.unique()) == 40


@pytest.mark.whole
@pytest.mark.usefixtures("quick")
def test_evaluate_examines_a_reader(tiny_run, command):
    folder = tiny_run("plots=false")["folder"]
    code, out, error = command("evaluate", f"run={folder}", "robustness=true", "plots=false", "trainer=cpu")
    assert code == 0, error
    (made,) = Path(folder, "evaluations").iterdir()
    names = {
        "robustness.png",
        "robustness.csv",
        "hard.png",
        "calibration.png",
        "risk_coverage.png",
        "risk_coverage.csv",
    }
    assert {path.name for path in (made / "plots").iterdir()} == names
    rows = list(csv.DictReader((made / "plots/robustness.csv").read_text().splitlines()))
    assert len(rows) == 6 * robustness.BINS and sum(int(row["count"]) for row in rows) == 6 * 48
    metrics = json.loads((made / "result.json").read_text())["metrics"]
    assert {"hard/error_minutes", "hard/within_one_minute", "test/calibration_error"} <= set(metrics)
    assert np.isfinite(metrics["test/error_minutes_surest_half"])
    assert "hard/error_minutes" in out


@pytest.mark.usefixtures("quick")
def test_without_a_distribution_there_is_no_calibration(tiny_run, command):
    folder = tiny_run("model=clock_cyclic", "plots=false")["folder"]
    words = [f"run={folder}", "robustness=true", "game=true", "plots=false", "trainer=cpu"]
    assert command("evaluate", *words)[0] == 0
    (made,) = Path(folder, "evaluations").iterdir()
    assert not (made / "plots/calibration.png").exists() and (made / "game.html").exists()


@pytest.mark.usefixtures("quick")
def test_pictures_without_a_scene_are_refused(tiny_run, command, tmp_path):
    folder = tiny_run("plots=false")["folder"]
    np.save(tmp_path / "images.npy", np.zeros((100, 48, 48), np.uint8))
    np.save(tmp_path / "labels.npy", np.zeros((100, 2), np.int64))
    words = [f"run={folder}", "data=clocks_course", f"data.path={tmp_path}", "game=true", "trainer=cpu"]
    code, _, error = command("evaluate", *words)
    assert code == 1 and "game=true needs rendered images with known scene parameters: add data=clocks" in error
    assert not list(Path(folder).glob("evaluations/*"))


PICTURES = ("data=clocks", "data.count=120", "data.size=100")


@pytest.mark.whole
def test_without_a_run_it_is_you_against_the_built_in_reader(command):
    code, out, error = command("evaluate", "game=true", *PICTURES, "plots=false", "trainer=cpu")
    assert code == 0, error
    (folder,) = Path("outputs/evaluations").iterdir()
    assert (folder / "game.html").exists() and str(folder) in out
    assert json.loads((folder / "result.json").read_text())["metrics"]["test/error_minutes"] < 30
