"""Classifiers: loss, mixing, penalties, test-time augmentation, and runs on every kind of labels."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.commands.evaluate import evaluate
from dlcourse.commands.predict import predict
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.build import build_model
from tests.conftest import small_arrays

DIGITS = Task("mnist", "classes", (1, 28, 28), (33.0,), (78.0,), tuple("0123456789"))
SMALL = ["model.net.widths=[4,8,8]", "data.batch_size=20", "data.validation=60", "debug=fast", "trainer=cpu"]
SMALL += ["trainer.precision=32-true"]


def classifier(*words, task=DIGITS):
    torch.manual_seed(0)
    return build_model(compose("model=fast_cnn", "data=mnist", "model.net.widths=[4,8,8]", *words), task)


def batch(count=30):
    draws = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=draws), torch.arange(count) % 10


def start(folder, *words, model="fast_cnn", data="mnist"):
    words = [f"model={model}", f"data={data}", *SMALL, *words]
    return run(compose(*words), folder=folder, overrides=words)


def test_channels_are_scaled_apart():
    task = Task("cifar10", "classes", (3, 32, 32), (100.0, 110.0, 120.0), (50.0, 60.0, 70.0), DIGITS.classes)
    x = torch.tensor([150, 170, 190], dtype=torch.uint8).expand(2, 32, 32, 3)
    torch.testing.assert_close(classifier(task=task).normalize(x), torch.ones(2, 3, 32, 32))


@pytest.mark.parametrize(("scaling", "black", "white"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_pixels_can_be_scaled_to_a_range(scaling, black, white):
    x = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None].expand(2, 28, 28)
    scaled = classifier(f"model.scaling={scaling}").normalize(x)
    torch.testing.assert_close(scaled[:, 0, 0, 0], torch.tensor([black, white], dtype=torch.float32))
    with pytest.raises(UserError, match="scaling=half is unknown: use statistics, unit, symmetric"):
        classifier("model.scaling=half")


@pytest.mark.usefixtures("image_sets")
def test_what_forgetting_eval_would_report(tmp_path, capsys):
    words = ["model=simple_cnn", "data=mnist", "data.validation=60", "debug=fast", "trainer=cpu", "plots=false"]
    words += ["trainer.precision=32-true", "model.net.layers=[conv 4,pool,dropout 0.9]"]
    done = run(compose(*words), folder=tmp_path / "run")
    asked = [f"run={tmp_path / 'run'}", "trainer=cpu", "plots=false", "trainer.precision=32-true"]
    right = evaluate(compose(*asked, verb="evaluate"), tmp_path / "right")
    assert right.metrics == pytest.approx({k: v for k, v in done["metrics"].items() if k.startswith("test/")})
    capsys.readouterr()
    wrong = evaluate(compose(*asked, "eval_mode=false", verb="evaluate"), tmp_path / "wrong")
    assert set(wrong.metrics) == set(done["metrics"]) and wrong.references == []
    assert wrong.metrics["test/loss"] > done["metrics"]["test/loss"]
    assert "with eval()  without" in capsys.readouterr().out
    words[-1] = "model.net.layers=[conv 4,dropout 0.0]"
    run(compose(*words), folder=tmp_path / "plain")
    asked[0] = f"run={tmp_path / 'plain'}"
    with pytest.raises(UserError, match="neither dropout nor batch norm"):
        evaluate(compose(*asked, "eval_mode=false", verb="evaluate"), tmp_path / "none")


def test_smoothing_is_for_training_only():
    model = classifier("model.label_smoothing=0.2").eval()
    x, y = batch()
    plain = model.loss(model(x), y)
    log = model(x).log_softmax(1)
    expected = -(0.8 * log[torch.arange(30), y].mean() + 0.2 * log.mean())
    torch.testing.assert_close(model.training_loss(x, y), expected)
    torch.testing.assert_close(plain, -log[torch.arange(30), y].mean())


def test_of_two_labels_the_fine_one_is_learnt():
    model = classifier().eval()
    x, y = batch()
    assert model.loss(model(x), torch.stack([y, y * 0], 1)) == model.loss(model(x), y)


@pytest.mark.parametrize(("name", "power"), [("l1", 1), ("l2", 2)])
def test_penalties_add_the_size_of_the_weights(name, power):
    x, y = batch()
    plain, punished = classifier().eval(), classifier(f"model.{name}=0.01").eval()
    size = sum(w.abs().pow(power).sum() for w in plain.net.parameters() if w.ndim > 1)
    bare = plain.training_loss(x, y)
    torch.testing.assert_close(punished.training_loss(x, y) - bare, 0.01 * size)
    torch.testing.assert_close(punished._noted["cross_entropy"], [bare.detach()])  # to hold against val/loss


def test_the_penalty_of_a_net_is_added():
    x, y = batch()
    model = classifier().eval()
    bare = model.training_loss(x, y)
    vars(model.net)["penalty"] = lambda: torch.tensor(2.0)
    torch.testing.assert_close(model.training_loss(x, y) - bare, torch.tensor(2.0))


def test_mixup_mixes_pictures_and_labels_in_the_same_share():
    model = classifier("model.mixup=1.0", "model.label_smoothing=0").eval()
    x, y = batch()
    torch.manual_seed(3)
    mixed = model.training_loss(x, y)
    torch.manual_seed(3)
    share = torch.distributions.Beta(1.0, 1.0).sample()
    log = model.net(share * model.normalize(x) + (1 - share) * model.normalize(x).roll(1, 0)).log_softmax(1)
    rows = torch.arange(30)
    torch.testing.assert_close(mixed, -(share * log[rows, y] + (1 - share) * log[rows, y.roll(1)]).mean())


@pytest.mark.parametrize(("tta", "views"), [("mirror", 2), ("shift", 3), ("mirror_shift", 6)])
def test_views_of_test_time_augmentation(tta, views):
    model = classifier(f"model.tta={tta}").eval()
    seen = []
    model.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x, _ = batch(4)
    mean = model._mean_output(x)
    assert len(seen) == views and all(view.shape == seen[0].shape for view in seen)
    assert len(torch.unique(torch.stack(seen).flatten(1), dim=0)) == views
    constant = torch.full((4, 28, 28), 90, dtype=torch.uint8)
    torch.testing.assert_close(model._mean_output(constant), model(constant), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(mean, model(x))


def test_wrong_options_are_refused():
    with pytest.raises(UserError, match="tta=turn is unknown: use none, mirror"):
        classifier("model.tta=turn")
    with pytest.raises(UserError, match="label_smoothing=1.5"):
        classifier("model.label_smoothing=1.5")
    with pytest.raises(UserError, match="needs classes, but clocks has time"):
        classifier(task=Task("clocks", "time", (1, 48, 48), 1.0, 1.0))
    with pytest.raises(UserError, match="too small"):
        classifier(task=Task("mnist", "classes", (1, 4, 4), (0.0,), (1.0,), DIGITS.classes))


@pytest.mark.usefixtures("image_sets")
@pytest.mark.parametrize(
    "data", [pytest.param("mnist", marks=pytest.mark.whole), pytest.param("cifar100", marks=pytest.mark.slow)]
)
def test_a_run_is_stored_and_gives_the_same_again(data, tmp_path):
    result = start(tmp_path / "run", "model.tta=mirror_shift", data=data)
    metrics = result["metrics"]
    assert result["status"] == "completed"
    assert {"train/accuracy", "val/accuracy", "test/accuracy", "test/accuracy_tta", "test/ece"} <= set(metrics)
    assert ("test/coarse_accuracy" in metrics) == (data == "cifar100")
    assert "train/accuracy_tta" not in metrics
    again = evaluate(compose(f"run={tmp_path}/run", "plots=false", "trainer=cpu", verb="evaluate"), tmp_path / "again")
    # debug=fast stops the run's own test after two batches, which hold all 60 pictures
    assert again.metrics == {k: v for k, v in metrics.items() if k.startswith("test/")}
    for name in ("confusion", "per_class", "confused_pairs", "calibration"):
        assert (tmp_path / "run" / "plots" / f"{name}.csv").exists() and (
            tmp_path / "run/plots" / f"{name}.png"
        ).exists()


@pytest.mark.usefixtures("image_sets")
def test_without_validation_the_last_weights_are_tested(tmp_path, caplog):
    result = start(tmp_path / "run", "data.validation=0", "plots=false")
    assert not any(name.startswith("val/") for name in result["metrics"])
    assert "before a validation" not in caplog.text
    best, last = (torch.load(tmp_path / f"run/checkpoints/{n}.ckpt", weights_only=True) for n in ("best", "last"))
    assert all(torch.equal(v, last["state_dict"][k]) for k, v in best["state_dict"].items())


@pytest.mark.usefixtures("image_sets")
def test_averaged_weights_are_what_is_kept_and_tested(tmp_path):
    averaged = start(tmp_path / "a", "callbacks=ema", "callbacks.ema.decay=0.5", "plots=false")
    plain = start(tmp_path / "b", "plots=false")
    assert averaged["metrics"]["test/loss"] != plain["metrics"]["test/loss"]
    best, last = (torch.load(tmp_path / f"a/checkpoints/{n}.ckpt", weights_only=True) for n in ("best", "last"))
    usual = torch.load(tmp_path / "b/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    name = "net.head.weight"
    assert torch.equal(last["current_model_state"][name], usual[name])
    assert not torch.equal(best["state_dict"][name], usual[name])
    assert torch.equal(best["state_dict"][name], last["state_dict"][name])


@pytest.mark.whole
@pytest.mark.usefixtures("image_sets")
def test_the_rate_finder_works_on_a_copy(tmp_path, monkeypatch):
    result = start(tmp_path / "a", "lr_find=true", "plots=false", "trainer.limit_train_batches=3")
    rate = float(compose_stored(tmp_path / "a").model.optimizer.lr)
    assert 1e-6 < rate < 1 and rate != compose("model=fast_cnn", "data=mnist").model.optimizer.lr
    assert (tmp_path / "a/plots/lr_find.png").exists()
    plain = start(tmp_path / "b", f"model.optimizer.lr={rate!r}", "plots=false")
    assert plain["metrics"] == result["metrics"]
    start(tmp_path / "c", "lr_find=true", "data.validation=0", "plots=false", "trainer.limit_train_batches=3")
    assert float(compose_stored(tmp_path / "c").model.optimizer.lr) > 0


def compose_stored(folder):
    from dlcourse.runs.stored_config import read_stored

    return read_stored(folder / "config.yaml")


@pytest.mark.usefixtures("image_sets")
def test_other_data_is_measured_without_the_references_of_its_own_or_refused(tmp_path):
    result = start(tmp_path / "run", "references=[D1]", "plots=false")

    def on(*words):
        cfg = compose(f"run={tmp_path}/run", "plots=false", "trainer=cpu", *words, verb="evaluate")
        return evaluate(cfg, tmp_path / "again")

    assert [row["id"] for row in result["references"]] == ["D1"]
    other = on("data=mnist_changed", "data.validation=60")
    assert "test/accuracy" in other.metrics and other.references == []
    with pytest.raises(UserError, match="was trained on 28x28 grey, but cifar10 has 32x32 colour"):
        on("data=cifar10", "data.validation=60")
    with pytest.raises(
        UserError, match="trained on the classes 0, 1, 2, 3 and 6 more of mnist, but fashion_mnist has T-shirt"
    ):
        on("data=fashion_mnist", "data.validation=60")
    with pytest.raises(UserError, match="was trained on classes, but clocks has time"):
        on("data=clocks", "data.count=60", "data.size=28")


@pytest.mark.usefixtures("image_sets")
def test_predict_names_class_confidence_and_runner_up(tmp_path):
    start(tmp_path / "run", "plots=false", data="cifar100")
    folder = tmp_path / "mine"
    folder.mkdir()
    for i, picture in enumerate(small_arrays("cifar100")["test_x"][:3]):
        Image.fromarray(np.asarray(picture)).resize((90, 70)).save(folder / f"{i}.png")
    rows = predict(tmp_path / "run", folder, tmp_path / "answers")
    assert [Path(row["file"]).name for row in rows] == ["0.png", "1.png", "2.png"]
    assert all(0 < row["confidence"] <= 1 and row["class"] != row["runner_up"] and row["group"] for row in rows)
    assert (tmp_path / "answers" / "contact_sheet.png").stat().st_size > 5000
    assert not any(math.isnan(row["confidence"]) for row in rows)


@pytest.mark.usefixtures("image_sets")
def test_compile_is_asked_of_the_net(tmp_path, monkeypatch):
    """That torch compiles it is for the slow tests: it takes a compiler and a minute."""
    asked = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda net: asked.append(type(net).__name__))
    start(tmp_path / "a", "compile=true", "plots=false")
    start(tmp_path / "b", "plots=false")
    assert asked == ["FastCNN"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.usefixtures("image_sets")
def test_a_compiled_net_learns_the_same(tmp_path):
    plain, compiled = (start(tmp_path / f"{flag}", f"compile={flag}", "plots=false") for flag in ("false", "true"))
    assert compiled["metrics"]["val/loss"] == pytest.approx(plain["metrics"]["val/loss"], rel=1e-3)
