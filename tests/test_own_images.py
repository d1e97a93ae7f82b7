"""Own images from class folders or arrays to metrics, plots and predictions, with one command each."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.test_folder import write_classes

MLP = ["model=mlp", "model.net.widths=[16]", "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=3"]


@pytest.mark.whole
def test_class_folders_are_trained_evaluated_and_predicted(command, tmp_path):
    own = write_classes(tmp_path / "own")
    words = ["data=folder", f"data.path={own}", "data.size=16", "data.balance=true", "model.class_weights=auto"]
    code, out, err = command("train", *MLP, *words, "references=[C1]", f"hydra.run.dir={tmp_path / 'run'}")
    assert code == 0, err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["references"] == [] and result["metrics"]["test/accuracy"] > 0.5
    assert (tmp_path / "run" / "plots" / "confusion.png").exists()
    code, _, err = command("evaluate", f"run={tmp_path / 'run'}", "plots=false")
    assert code == 0, err
    odd = own / "2" / os.fsdecode(b"caf\xe9\na\\b $x$.png")
    (own / "2" / "3.png").rename(odd)
    (own / "broken.png").write_bytes(b"no image")
    code, out, err = command("predict", f"run={tmp_path / 'run'}", f"input={own}", f"hydra.run.dir={tmp_path / 'p'}")
    assert code == 0 and "skipped broken.png: image could not be decoded" in out, err
    with (tmp_path / "p" / "predictions.csv").open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [str(Path(row["file"]).relative_to(own)) for row in rows]
    assert all(
        float(row[f"p_{row['class']}"]) == max(float(row[f"p_{name}"]) for name in ("1", "2", "10")) for row in rows
    )
    assert len(rows) == 60 and "2/caf\\xe9\na\\b $x$.png" in names and "10/0.png" in names
    assert (tmp_path / "p" / "contact_sheet.png").exists()


def test_other_images_of_a_run_have_its_size_and_the_same_images_its_split(command, tmp_path):
    own, other = write_classes(tmp_path / "own"), write_classes(tmp_path / "other")
    words = ["data=folder", f"data.path={own}", "data.size=16", "data.split_seed=3", "plots=false"]
    assert command("train", *MLP, *words, "hydra.run.dir=run")[0] == 0

    def tested(*asked):
        code, _, err = command("evaluate", "run=run", "data=folder", "plots=false", "hydra.run.dir=again", *asked)
        assert code == 0, err
        return json.loads(Path("again/result.json").read_text())["metrics"]

    first = json.loads(Path("run/result.json").read_text())["metrics"]
    assert tested(f"data.path={own}")["test/loss"] == pytest.approx(first["test/loss"], rel=1e-4)
    sharp, given, coarse = (tested(f"data.path={other}", *size) for size in ([], ["data.size=16"], ["data.size=8"]))
    assert sharp == given and sharp["test/loss"] != coarse["test/loss"]


@pytest.mark.whole
def test_own_images_are_swept_reported_and_embedded(command, tmp_path, monkeypatch):
    from dlcourse.commands import experiment

    choices = iter(["bf16-mixed", "32-true"])  # each job would measure another one
    monkeypatch.setattr(experiment, "choose_precision", lambda *_: next(choices))
    own, sweep = write_classes(tmp_path / "own"), Path("outputs/sweeps/own")
    words = ["data=folder", f"data.path={own}", "data.size=16", "trainer.precision=auto", "trainer.max_epochs=1"]
    code, _, err = command("train", "-m", *MLP, *words, "plots=false", "data.folds=3", "data.fold=0,1", "name=own")
    assert code == 0, err
    results = [json.loads((sweep / job / "result.json").read_text()) for job in "01"]
    assert [result["precision"] for result in results] == ["bf16-mixed", "bf16-mixed"]
    assert (sweep / "precision.txt").read_text() == "bf16-mixed" and "±" in (sweep / "sweep.md").read_text()
    code, _, err = command("report")
    assert code == 0, err
    words = ["method=pca", f"run={sweep / '0'}", "max_samples=30", f"hydra.run.dir={tmp_path / 'map'}"]
    code, _, err = command("embed", *words)
    assert code == 0, err
    assert (tmp_path / "map" / "plots" / "map.csv").read_text().count("\n") > 20
    (own / "1" / "0.png").unlink()  # the process still holds the images in memory
    code, _, err = command(
        "evaluate", f"run={sweep / '0'}", "plots=false", "trainer=cpu", f"hydra.run.dir={tmp_path / 'e'}"
    )
    assert code == 0, err
    before = results[0]["metrics"]["test/loss"]
    assert json.loads((tmp_path / "e" / "result.json").read_text())["metrics"]["test/loss"] != before


def test_five_channels_are_trained_without_contact_sheets(command, tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (60, 9, 9, 5), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x=x, y=np.array(["a", "b", "c"])[np.arange(60) % 3])
    words = ["data=arrays", f"data.path={tmp_path / 'own.npz'}", "trainer.max_epochs=1"]
    code, _, err = command("train", *MLP, *words, f"hydra.run.dir={tmp_path / 'run'}")
    assert code == 0, err
    assert (tmp_path / "run" / "plots" / "confusion.png").exists()
    assert not (tmp_path / "run" / "plots" / "samples.png").exists()
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    code, _, err = command("predict", f"run={tmp_path / 'run'}", f"input={tmp_path / 'a.png'}")
    assert code == 1 and "5-channel" in err
