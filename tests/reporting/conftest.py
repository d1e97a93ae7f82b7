"""Run folders made by hand, as `train` leaves them."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


@pytest.fixture
def make_run(tmp_path: Path):
    """`make_run("outputs/a", accuracy=0.9)` writes a run folder and gives its path."""

    def make(place: str, accuracy: float = 0.9, pictures: int = 0, classes: str = "", **changes: Any) -> Path:
        folder = tmp_path / place
        (folder / "plots").mkdir(parents=True)
        result = {
            "schema": 1, "status": "completed", "experiment": "mnist/fast", "model": "fast_cnn", "data": "mnist",
            "rendered": False, "metrics": {"train/loss": 0.1, "test/loss": 0.2, "test/accuracy": accuracy},
            "references": [{"id": "D-1epoch", "metric": "test/accuracy", "value": 0.9927, "better": "higher"}],
            "parameters": 1000, "seed": 0, "epochs": 2, "seconds": {"fit": 3.0, "test": 1.0}, "cpu_seconds": 4.5,
            "device": "cpu", "precision": "32-true", "versions": {}, "git": None,
            "overrides": ["experiment=mnist/fast", f"seed={changes.get('seed', 0)}"], "error": None,
        }  # fmt: skip
        (folder / "result.json").write_text(json.dumps(result | changes))
        (folder / "config.yaml").write_text(
            f"seed: {changes.get('seed', 0)}\nmodel: {{name: fast_cnn, lr: {accuracy}}}\n"
        )
        (folder / "metrics.csv").write_text(
            f"epoch,step,train/loss,val/loss,train/accuracy\n0,10,2.0,2.1,0.3\n1,20,0.5,,{accuracy}\n"
        )
        if classes:
            (folder / "plots" / "per_class.csv").write_text(f"name,count,wrong,error,mostly\n{classes}")
        for number in range(pictures):
            Image.effect_noise((900, 500), 60 + number).save(folder / "plots" / f"picture{number}.png")
        return folder

    return make
