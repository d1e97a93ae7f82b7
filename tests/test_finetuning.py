"""`callbacks=finetune`: the body of a net learns later than its head, with a lower rate; resumed exactly."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.initial_weights import read_weights
from dlcourse.runs.result import read_result
from dlcourse.training.checkpoints import LAST
from tests.families import differences

NET = ["model=timm", "model.net.name=test_resnet", "model.net.pretrained=false", "model.net.train=all"]
WORDS = [
    *(*NET, "data=digits8", "data.view=picture", "data.validation=200", "data.batch_size=500"),
    *("callbacks=finetune", "callbacks.finetune.unfreeze_at=1", "callbacks.finetune.body_lr_factor=0.5"),
    *("trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=3", "plots=false"),
]


@pytest.mark.whole
def test_the_body_waits_and_a_stopped_run_continues_exactly(tmp_path, stopped_in_epoch):
    whole = run(compose(*WORDS), folder=tmp_path / "whole")
    for epoch in (1, 2):
        folder = tmp_path / f"stopped{epoch}"
        with stopped_in_epoch(epoch):
            run(compose(*WORDS), folder=folder)
        if epoch == 1:
            state = torch.load(folder / LAST, weights_only=True)
            assert (state["state_dict"]["net.body.bn1.running_mean"] == 0).all()  # nothing in the body has moved
            assert (state["state_dict"]["net.body.bn1.weight"] == 1).all()
            assert len(state["optimizer_states"][0]["param_groups"]) == 1
        assert run(compose(*WORDS), folder=folder, resume=True)["epochs"] == 3
        assert differences(tmp_path / "whole", folder) == []
    state = torch.load(tmp_path / "whole" / LAST, weights_only=True)
    head, body = state["optimizer_states"][0]["param_groups"]
    assert body["lr"] == pytest.approx(0.5 * head["lr"]) and body["initial_lr"] == 0.5 * head["initial_lr"]
    assert not (state["state_dict"]["net.body.bn1.weight"] == 1).all()
    assert whole["parameters"] > 372_000
    assert "trained from epoch 2" in (tmp_path / "whole" / "train.log").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.net.train=head"], "callbacks=finetune has nothing to train later: set model.net.train=all"),
        (["callbacks.finetune.unfreeze_at=-1"], "unfreeze_at=-1 is not an epoch from 0"),
        (["callbacks.finetune.body_lr_factor=0"], "body_lr_factor=0 is not above 0"),
        (["model.net.name=resnt18"], "name=resnt18 is unknown: did you mean resnet18"),
    ],
)
def test_wrong_settings_get_one_sentence(tmp_path, words, said):
    with pytest.raises(UserError) as error:
        run(compose(*WORDS, *words), folder=tmp_path / "run")
    assert said in str(error.value)


def test_a_net_without_a_body_freezes_all_layers_but_the_last(tmp_path):
    words = [word for word in WORDS if not word.startswith("model")]
    words += ["model=mlp", "model.net.widths=[8]", "callbacks.finetune.unfreeze_at=9", "data.view=picture"]
    run(compose(*words), folder=tmp_path / "run")
    first = run(compose(*words, "trainer.max_epochs=1", "model.optimizer.lr=1e-9"), folder=tmp_path / "first")
    states = [read_weights(tmp_path / name).tensors for name in ("run", "first")]
    moved = [name for name in states[0] if not torch.allclose(states[0][name], states[1][name], atol=1e-6)]
    assert first["epochs"] == 1 and moved and all(states[0][name].shape[0] == 10 for name in moved)


def write_photographs(root, count, side=128):
    """Three classes of blurred, noisy, unevenly lit images: a ball, a box or a star of any colour, size and place."""
    draws = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    for name in ("ball", "box", "star"):
        (root / name).mkdir(parents=True)
        for i in range(count):
            (x, y), r = draws.uniform(0.35, 0.65, 2) * side, draws.uniform(0.2, 0.33) * side
            ground, colour = draws.integers(30, 120, 3), tuple(draws.integers(130, 256, 3).tolist())
            light = 1 + 0.5 * (rows - 0.5) * draws.uniform(-1, 1) + 0.5 * (columns - 0.5) * draws.uniform(-1, 1)
            image = Image.fromarray((ground * light[..., None]).clip(0, 255).astype(np.uint8))
            corners = {"box": 4, "star": 10}.get(name, 60)
            angles = draws.uniform(0, 6.28) + 2 * np.pi * np.arange(corners) / corners
            radii = np.where((np.arange(corners) % 2 == 1) & (name == "star"), 0.4 * r, r)
            points = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], 1)
            ImageDraw.Draw(image).polygon([tuple(point) for point in points.tolist()], fill=colour)
            pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1))) + draws.normal(0, 6, (side, side, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{i}.jpg")
    return root


def finetuned(command, folder, *words):
    """The test accuracy of the guide's command on a folder of images."""
    guide = (Path(__file__).parents[1] / "docs/guides/own-images.md").read_text("utf8")
    line = next(line for line in guide.splitlines() if "model=timm" in line and line.startswith("python -m"))
    given = [f"data.path={folder}" if word.startswith("data.path=") else word for word in line.split()[3:]]
    code, _, error = command("train", *given, "trainer=cpu", "plots=false", "hydra.run.dir=run", *words)
    assert code == 0, error
    return read_result(Path("run")).metrics["test/accuracy"]


def test_few_images_are_enough_for_a_pretrained_net(command, tmp_path):
    few = ["trainer.max_epochs=6", "data.size=64", "data.batch_size=16"]
    assert finetuned(command, write_photographs(tmp_path / "photos", 20, 64), *few) > 0.6


@pytest.mark.slow
def test_sixty_images_a_class_reach_95_percent_in_two_minutes(command, tmp_path):
    start = time.process_time()  # of one core, so that other programs do not count
    assert finetuned(command, write_photographs(tmp_path / "photos", 60), "threads=1") > 0.95
    assert time.process_time() - start < 120
