"""Autoencoder, VAE and GAN on small pictures: runs, resumes, and what can be checked by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributions import Normal, kl_divergence

from dlcourse.analysis.perceptual import NETS, perceptual_distance
from dlcourse.commands.evaluate import evaluate
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.batches import seeded
from dlcourse.errors import UserError
from dlcourse.models import generative, vae
from dlcourse.models.build import build_data, build_model, load_checkpoint, load_run
from dlcourse.models.diff_augment import CHANGES, diff_augment
from dlcourse.models.gan_losses import LOSSES, discriminator_loss, generator_loss
from dlcourse.models.mixture import Mixture
from dlcourse.nets import dcgan
from dlcourse.plots.generative import chosen_epochs
from tests.conftest import FACE_NET, FACES, small_faces

MODERN = [
    "model.objective=relativistic",
    "model.r1=0.1",
    "model.r2=0.1",
    "model.penalty_every=2",
    "model.augment=[flip,colour,translation,cutout]",
    "model.ema=0.9",
    "model.discriminator.norm=none",
    "model.discriminator.spectral=true",
    "model.discriminator.deviation=true",
    "model/schedule=triangular",
]
EVERYWHERE = {"epochs.png", "training.gif", "traversals.png", "curves.png"}
DRAWN = {"samples.png", "interpolation.png", "nearest.png"}
ENCODED = {"reconstructions.png", "interpolation_pictures.png"}
PLOTS = {
    "autoencoder": EVERYWHERE | ENCODED,
    "vae": EVERYWHERE | DRAWN | ENCODED | {"kl.png", "kl.csv"},
    "gan": EVERYWHERE | DRAWN | {"adversaries.png"},
}


def built(faces, model, *words):
    cfg = compose(f"model={model}", *FACES, f"data.path={faces}", *FACE_NET, *words)
    data = build_data(cfg)
    data.setup()
    torch.manual_seed(0)
    return build_model(cfg, data.task), data


@pytest.mark.parametrize("model", [m if m == "vae" else pytest.param(m, marks=pytest.mark.whole) for m in PLOTS])
def test_a_run_ends_with_scores_their_floor_and_pictures(face_run, capsys, model):
    result = face_run(model)
    assert "in the feature space random_conv_seed0" in capsys.readouterr().out
    metrics, name = result["metrics"], "reconstruction_" if model == "autoencoder" else ""
    assert result["status"] == "completed" and result["features"] == "random_conv_seed0"
    assert len(result["compared"]) == 2 and min(result["compared"]) > 0
    for split in ("val", "test"):
        for key in ("frechet_distance", "kid", "precision", "recall"):
            assert math.isfinite(metrics[f"{split}/{name}{key}"]), key
        # made-up discs: real pictures are nearer to other real ones than two epochs or their mean come
        assert metrics[f"{split}/real_frechet_distance"] < metrics[f"{split}/{name}frechet_distance"]
        assert metrics[f"{split}/real_frechet_distance"] < metrics[f"{split}/mean_picture_frechet_distance"]
    assert not any("frechet" in key for key in metrics if key.startswith("train/"))
    found = {path.name for path in (Path(result["folder"]) / "plots").iterdir()}
    assert found == PLOTS[model]
    with Image.open(Path(result["folder"]) / "plots" / "training.gif") as animation:
        assert animation.n_frames == 2


@pytest.mark.parametrize(("model", "words"), [("autoencoder", []), ("vae", []), ("gan", MODERN)])
def test_saved_and_loaded_it_gives_the_same_figures_and_samples(face_run, faces, tmp_path, model, words):
    result = face_run(model, *words, "plots=false", "trainer.max_epochs=1")
    cfg = compose(f"run='{result['folder']}'", "trainer=cpu", "plots=false", verb="evaluate")
    again = evaluate(cfg, tmp_path / "again")
    assert again.metrics == {k: v for k, v in result["metrics"].items() if k.startswith("test/")}
    assert again.features == result["features"]
    first, second = (load_run(Path(result["folder"]))[1] for _ in range(2))
    z = torch.randn(3, 6)
    assert torch.equal(first.decode_images(z), second.decode_images(z)) and first.decode_images(z).shape == (3, 32, 32)
    assert json.loads((tmp_path / "again" / "result.json").read_text())["features"] == "random_conv_seed0"


@pytest.mark.parametrize(
    ("model", "words"), [("vae", ["model.prior=fitted"]), pytest.param("gan", MODERN, marks=pytest.mark.slow)]
)
def test_a_resumed_run_ends_like_an_undisturbed_one(face_run, tmp_path, stopped_in_epoch, model, words):
    words = [*words, "trainer.max_epochs=3", "plots=false"]
    whole = face_run(model, *words, folder="whole")
    with stopped_in_epoch(2):
        face_run(model, *words, folder="stopped")
    resumed = run(compose(f"run='{tmp_path}/stopped'"), folder=tmp_path / "stopped", resume=True)
    assert resumed["metrics"] == whole["metrics"]
    first, second = (load_checkpoint(tmp_path / f / "checkpoints" / "last.ckpt") for f in ("whole", "stopped"))
    for name, value in first["state_dict"].items():
        assert torch.equal(value, second["state_dict"][name]), name
    optimizers = zip(first["optimizer_states"], second["optimizer_states"], strict=True)
    for ours, theirs in optimizers:
        for number, state in ours["state"].items():
            assert all(torch.equal(state[key], theirs["state"][number][key]) for key in state)
    assert len(first["optimizer_states"]) == (2 if model == "gan" else 1)
    frames = [point["dlcourse"]["frames"] for point in (first, second)]
    assert list(frames[0]) == list(frames[1]) == [0, 1, 2]
    assert all(torch.equal(frames[0][epoch], frames[1][epoch]) for epoch in frames[0])
    assert (tmp_path / "whole/metrics.csv").read_text() == (tmp_path / "stopped/metrics.csv").read_text()


def test_divergence_and_likelihood_are_those_of_torch_distributions(faces):
    means, logs = torch.randn(4, 6), torch.randn(4, 6)
    ours = vae.kl_divergence(means, logs)
    assert torch.allclose(ours, kl_divergence(Normal(means, (logs / 2).exp()), Normal(0.0, 1.0)), atol=1e-5)
    model, _ = built(faces, "vae", "model.noise=20")
    drawn, x = torch.rand(2, 3, 1, 32, 32) * 2 - 1
    levels = Normal(127.5 * drawn, 20.0).log_prob(127.5 * x).flatten(1).sum(1)
    assert torch.allclose(model.log_likelihood(drawn, x), levels, rtol=1e-4)


def test_the_bound_is_the_mean_of_likelihood_less_divergence(face_run):
    metrics = face_run("vae", "plots=false", "model.beta=0.5", "trainer.max_epochs=1")["metrics"]
    pixels = 32 * 32
    assert metrics["test/bits_per_pixel"] == pytest.approx(-metrics["test/elbo"] / pixels / math.log(2))
    trained_on = -metrics["test/elbo"] - 0.5 * metrics["test/kl"]
    assert metrics["test/loss"] == pytest.approx(trained_on / pixels, rel=1e-4)


def test_beta_rises_over_the_warm_up(face_run, monkeypatch):
    seen = []
    weight = vae.VAE._weight
    monkeypatch.setattr(vae.VAE, "_weight", lambda self: seen.append(weight(self)) or seen[-1])
    face_run("vae", "plots=false", "model.beta=2", "model.warmup=0.5")  # 12 steps
    assert seen[:6] == pytest.approx([2 / 6 * i for i in range(1, 7)]) and seen[6:] == [2.0] * 6


@pytest.mark.slow
def test_a_vae_learns_the_discs_and_how_far_off_it_is(face_run):
    words = ["plots=false", "trainer.max_epochs=20", "model.optimizer.lr=1e-2", "model.net.width=8"]
    result = face_run("vae", *words)
    metrics = result["metrics"]
    assert metrics["test/reconstruction_rmse"] < 0.7 * metrics["test/mean_picture_rmse"]
    assert metrics["test/active_units"] >= 3
    _, model = load_run(Path(result["folder"]))
    noise = 127.5 * model.log_noise.exp().item()
    # what the latent's own spread costs comes on top of the error of its mean
    assert 0.95 < noise / metrics["train/reconstruction_rmse"] < 1.6


@pytest.mark.slow
def test_a_gan_learns_to_draw_the_discs(face_run):
    words = [
        "plots=false",
        "model.optimizer.lr=2e-3",
        "model.net.width=8",
        "model.discriminator.width=8",
        "model.ema=0.9",
    ]
    first, last = (
        face_run("gan", *words, f"trainer.max_epochs={epochs}", folder=str(epochs))["metrics"] for epochs in (1, 30)
    )
    assert last["test/frechet_distance"] < 0.5 * first["test/frechet_distance"]
    assert last["test/frechet_distance"] < 0.5 * last["test/mean_picture_frechet_distance"]


def test_the_fitted_prior_is_the_spread_of_the_latents(faces):
    model, data = built(faces, "vae", "model.prior=fitted")
    with torch.no_grad():
        model.net.encoder.head.bias[:6] += 3
    inputs, _ = data.arrays["train"]
    with torch.no_grad():
        means, logs = model.eval().posterior(model(inputs))
    for _ in range(800):
        model._update_latent_statistics(means, logs)
    z = model.sample_latents(4000, torch.Generator().manual_seed(0))
    assert torch.allclose(z.mean(0), model.latents(inputs).mean(0), atol=0.2)
    assert torch.allclose(z.T.cov(), model.latent_covariance, atol=0.2)


def test_a_mixture_finds_groups_and_draws_from_them():
    centres = torch.tensor([[-8.0, 0.0], [0.0, 6.0], [9.0, -3.0]])
    points = centres.repeat(300, 1) + torch.tensor([0.2, 0.9]) * torch.randn(900, 2, generator=seeded(0))
    mixture = Mixture(2, 3)
    noise = torch.randn(3000, 2, generator=seeded(1))
    before = mixture(noise, seeded(2))
    assert torch.allclose(before.T.cov(), torch.eye(2), atol=0.1)  # N(0, 1) until it is fitted
    mixture.fit(points, seed=0)
    drawn = mixture(noise, seeded(2))
    distance, nearest = torch.cdist(drawn, centres).min(1)
    assert torch.bincount(nearest, minlength=3).min() > 900 and distance.max() < 4.5
    off = drawn - centres[nearest]
    assert torch.allclose(off.std(0), torch.tensor([0.2, 0.9]), atol=0.05)
    assert torch.equal(mixture(noise, seeded(2)), drawn)


def test_a_mixture_belongs_to_the_averaged_weights(face_run, faces):
    words = ["model.prior=mixture", "callbacks=ema", "callbacks.ema.decay=0.9", "plots=false"]
    model = load_run(Path(face_run("vae", *words)["folder"]))[1]
    data = built(faces, "vae")[1]
    again = Mixture(model.noise_length, len(model.mixture.weights))
    again.fit(model.latents(data.arrays["train"][0])[:, : model.noise_length], model.seed)
    torch.testing.assert_close(model.mixture.means, again.means, atol=1e-3, rtol=1e-3)
    with pytest.raises(UserError, match="needs validation images, before which the mixture is fitted"):
        face_run("vae", *words, "data.validation=0", folder="b")


def test_other_images_stay_split_for_a_generative_run(face_run, faces, tmp_path):
    run_folder = face_run("vae", "plots=false")["folder"]
    other = tmp_path / "other.npz"
    np.savez(other, train_x=small_faces(90))
    words = [f"data.path={other}", *FACES[:2], "trainer=cpu", "plots=false"]
    found = evaluate(compose(f"run='{run_folder}'", *words, verb="evaluate"), tmp_path / "again")
    assert found.samples < 90 and found.metrics["test/real_frechet_distance"] > 0


def test_a_mixture_needs_two_vectors_for_each_component():
    mixture = Mixture(2, 3)
    mixture.fit(torch.randn(5, 2), seed=0)
    assert torch.equal(mixture.means, torch.zeros(3, 2))


@pytest.mark.parametrize("words", [[], ["data.validation=0"]])
def test_the_mixture_of_a_run_is_fitted_and_saved(face_run, words):
    result = face_run("vae", "model.prior=mixture", "plots=false", "trainer.max_epochs=1", *words)
    _, model = load_run(Path(result["folder"]))
    assert model.mixture.means.std() > 0.01
    drawn = model.sample_latents(6, seeded(0))
    assert torch.equal(drawn, model.sample_latents(6, seeded(0))) and not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("name", CHANGES)
def test_gradients_flow_through_the_augmentation_and_pictures_change(name):
    torch.manual_seed(0)
    x = (torch.rand(8, 3, 16, 16) * 2 - 1).requires_grad_()
    y = diff_augment(x, [name])
    assert y.shape == x.shape and not torch.equal(y, x)
    y.square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad.abs().flatten(1).sum(1) > 0).all()


def test_each_picture_has_its_own_translation_and_hole():
    torch.manual_seed(0)
    x = torch.ones(64, 1, 16, 16)
    holes = (diff_augment(x, ["cutout"]) == 0).flatten(1).sum(1)
    assert holes.max() == 64 and holes.min() >= 16 and len(holes.unique()) > 5  # 8x8, cut by the border
    dot = torch.zeros(64, 1, 16, 16)
    dot[:, :, 8, 8] = 1
    moved = diff_augment(dot, ["translation"]).flatten(1)
    assert (moved.sum(1) == 1).all() and len(moved.argmax(1).unique()) > 15


def test_objectives_are_the_published_ones():
    real, drawn = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    log = torch.nn.functional.logsigmoid
    expected = {
        "logistic": (-(log(real) + log(-drawn)).mean(), -log(drawn).mean()),
        "hinge": (torch.tensor((0 + 2) / 2 + (1.5 + 0) / 2), -drawn.mean()),
        "relativistic": (-log(real - drawn).mean(), -log(drawn - real).mean()),
    }
    assert set(expected) == set(LOSSES)
    for objective, (first, second) in expected.items():
        assert discriminator_loss(objective, real, drawn) == pytest.approx(first.item())
        assert generator_loss(objective, real, drawn) == pytest.approx(second.item())


def test_smoothed_labels_are_cross_entropy_with_a_smaller_label(faces):
    real, drawn = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    expected = entropy(real, torch.full((2,), 0.9)) + entropy(drawn, torch.zeros(2))
    assert discriminator_loss("logistic", real, drawn, 0.1) == pytest.approx(expected.item())
    with pytest.raises(UserError, match="0 unless model.objective=logistic"):
        built(faces, "gan", "model.smoothing=0.1", "model.objective=hinge")


@pytest.mark.parametrize("net", NETS)
def test_a_perceptual_distance_grows_with_blur_and_is_part_of_the_loss(faces, net):
    if net != "random":
        pytest.importorskip("efficientnet_lite_pytorch")
    x = torch.zeros(2, 1, 32, 32)
    x[:, :, 8:24, 8:24] = 1
    soft, blurred = (torch.nn.functional.avg_pool2d(x, side, 1, side // 2) for side in (3, 7))
    distance = perceptual_distance(net)
    assert torch.allclose(distance(x, x), torch.zeros(2), atol=1e-4)
    assert (distance(x, blurred) > distance(x, soft)).all() and (distance(x, soft) > 0.01).all()
    model, data = built(faces, "vae", "model.perceptual=2", f"model.perceptual_net={net}")
    plain, _ = built(faces, "vae")
    losses = []
    for one in (model, plain):
        torch.manual_seed(1)
        losses.append(one.training_loss(*next(iter(data.val_dataloader()))))
    assert losses[0].item() == pytest.approx((losses[1] + 2 * model._noted["perceptual"][0]).item(), rel=1e-4)
    assert "_distance" not in dict(model.named_modules()) and model.state_dict().keys() == plain.state_dict().keys()


def test_a_classifier_judges_samples(monkeypatch, tmp_path):
    """Each class's share of the samples, and how sure the classifier is, stand beside the distance."""
    from dlcourse.commands.export import export
    from dlcourse.commands.train import run
    from dlcourse.runs.stored_config import read_stored

    judge = tmp_path / "judge"
    words = ["model=mlp", "data=digits8", "data.validation=200", "trainer=cpu", "trainer.max_epochs=1", "plots=false"]
    run(compose(*words), folder=judge)
    tiny = ["model.net.width=4", "model.net.layers=1", "trainer=cpu", "trainer.max_epochs=1", "plots=false"]
    monkeypatch.chdir(tmp_path)
    cfg = compose("model=vae", "data=digits8", "data.validation=200", "model.features=judge", *tiny)
    result = run(cfg, folder=tmp_path / "vae")
    assert read_stored(tmp_path / "vae" / "config.yaml").model.features == str(judge)  # found from anywhere
    metrics, shares = result["metrics"], result["class_shares"]
    assert len(shares) == 10 and sum(shares) == pytest.approx(1, abs=0.01)
    assert metrics["test/largest_class"] == pytest.approx(max(shares), abs=1e-3)
    assert metrics["test/smallest_class"] == pytest.approx(min(shares), abs=1e-3)
    assert 0 <= metrics["test/judge_sure"] <= 1 and 0 < metrics["test/real_judge_sure"] <= 1
    assert sum(result["real_class_shares"]) == pytest.approx(1, abs=0.01)
    exported, folder = export(tmp_path / "vae", tmp_path / "packed")
    assert exported.metrics["test/judge_sure"] == pytest.approx(metrics["test/judge_sure"], abs=0.1)
    assert str(tmp_path) not in (folder / "config.yaml").read_text()  # nor the judge's folder


def test_the_penalty_is_the_squared_gradient(faces):
    model, _ = built(faces, "gan", "model.discriminator.norm=none")
    x = torch.rand(2, 1, 32, 32)
    model.discriminator = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1024, 1), torch.nn.Flatten(0))
    weight = model.discriminator[1].weight
    penalty = model.penalty(x)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    assert torch.allclose(weight.grad, 2 * weight, atol=1e-5)


def test_held_out_pictures_are_judged_as_training_ones_are_and_leave_no_trace(faces):
    """By the batch's own statistics: the running ones are of real and drawn pictures together."""
    model, data = built(faces, "gan")
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, labels = data.arrays["train"][0][:16], torch.zeros(16)
    model._collect((inputs, labels))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(layer.training for layer in model.modules())
    with torch.no_grad():
        assert torch.equal(model._gathered[0]["real"], model.train().discriminate(model.normalize(inputs)))


def test_the_averaged_generator_follows_and_is_what_draws(face_run):
    result = face_run("gan", *MODERN, "plots=false")
    _, model = load_run(Path(result["folder"]))
    weights = [net.stem.weight for net in (model.net, model.average)]
    assert not torch.equal(*weights) and torch.allclose(*weights, atol=0.05)
    z = torch.randn(2, 6)
    assert torch.equal(model.decode(z), model.average(z))


@pytest.mark.parametrize("model", PLOTS)
@pytest.mark.parametrize(
    ("layers", "size", "colour", "palette"), [(3, 32, False, 0), (4, 32, True, 5), (3, 64, True, 0), (4, 64, False, 2)]
)
def test_three_and_four_layers_grey_and_colour(faces, model, layers, size, colour, palette):
    words = [f"model.net.layers={layers}", f"data.size={size}", f"data.colour={colour}", f"model.net.palette={palette}"]
    words += ["model.net.resize=true", "model.net.blocks=1", "model.net.norm=group"]
    words += ["model.discriminator.width=4"] * (model == "gan")
    net, data = built(faces, model, *words)
    inputs, labels = next(iter(data.train_dataloader()))
    loss = net.training_loss(inputs, labels)
    loss.backward()
    assert torch.isfinite(loss) and all(p.grad is not None for p in net.net.parameters())
    drawn = net.decode_images(torch.randn(2, 6))
    assert drawn.shape == inputs[:2].shape and drawn.dtype == torch.uint8


@pytest.mark.whole
def test_snapshots_are_kept_and_shown_of_the_epochs_that_were_asked_for(face_run, monkeypatch):
    assert chosen_epochs(list(range(40))) == [0, 19, 39]
    assert chosen_epochs(list(range(40)), [39, 0, 5, 70]) == [0, 5, 39]
    assert chosen_epochs([0, 1], [70]) == [0, 1]
    monkeypatch.setattr(generative, "FRAMES", 1)
    folder = face_run("gan", "trainer.max_epochs=3", "model.shown_epochs=2")["folder"]
    with Image.open(Path(folder) / "plots" / "training.gif") as animation:
        assert animation.n_frames == 3  # of the first and the last epoch, and of the second


@pytest.mark.parametrize("model", PLOTS)
@pytest.mark.parametrize("layers", [3, 4, 5])
def test_pictures_of_128_pixels_fit_too(faces, model, layers):
    net, _ = built(faces, model, "data.size=128", f"model.net.layers={layers}")
    assert net.decode_images(torch.zeros(1, 6)).shape == (1, 128, 128)


@pytest.mark.whole
@pytest.mark.parametrize("model", PLOTS)
def test_pictures_of_another_size_are_drawn_beside_its_own(face_run, tmp_path, model):
    folder = face_run(model, "plots=false")["folder"]
    words = [f"run='{folder}'", "data=faces", f"data.path={tmp_path / 'faces.npz'}", "data.size=48"]
    words += ["data.batch_size=16", "trainer=cpu"]
    result = evaluate(compose(*words, verb="evaluate"), tmp_path / "again", words)
    assert (tmp_path / "again" / "result.json").exists() and result.status == "completed"
    drawn = {path.name for path in (tmp_path / "again" / "plots").iterdir()}
    assert drawn >= PLOTS[model] & (DRAWN | ENCODED)


@pytest.mark.parametrize(
    ("model", "words", "said"),
    [
        ("vae", ["model.latent=0"], "model.latent=0 is too small"),
        ("gan", ["model.latent=0"], "model.latent=0 is too small"),
        ("vae", ["model.noise=wide"], "model.noise=wide is not a standard deviation"),
        ("vae", ["model.prior=other"], "model.prior=other is unknown"),
        ("vae", ["model.beta=-1"], "model.beta=-1 must be 0 or more"),
        ("gan", ["model.shown_epochs=[-1]"], "must be epoch numbers from 1 on"),
        ("vae", ["model.shown_epochs=last"], "must be epoch numbers"),
        ("gan", ["model.objective=wasserstein"], "model.objective=wasserstein is unknown"),
        ("gan", ["model.augment=[twist]"], "model.augment=twist is unknown"),
        ("gan", ["model.ema=1"], "model.ema=1"),
        ("vae", ["model.net.norm=layer"], "norm=layer is unknown"),
        ("vae", ["model.features=vgg"], "model.features=vgg is unknown"),
        ("vae", ["model.noise=null"], "model.noise=None is not a standard deviation"),
        ("gan", ["model.augment=mirror"], "augment=mirror is unknown"),
    ],
)
def test_bad_settings_get_a_sentence(faces, model, words, said):
    cfg = compose(f"model={model}", *FACES, f"data.path={faces}", *FACE_NET, *words)
    data = build_data(cfg)
    data.setup()
    with pytest.raises(UserError, match=said):
        build_model(cfg, data.task)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.max_steps=3"], "takes two steps per batch"),
        (["trainer.gradient_clip_val=1"], "does not support gradient clipping or accumulation"),
        (["model/schedule=plateau"], "does not measure progress"),
        (["lr_find=true"], "lr_find=true does not support this model"),
        (["trainer.precision=bf16-true"], "GAN does not support trainer.precision=bf16-true: use 32-true"),
        (["model.features=no/such/run"], "config.yaml"),  # before the training, though it is used after it
    ],
)
def test_a_gan_refuses_what_its_two_optimisers_cannot_use(face_run, words, said):
    with pytest.raises(UserError, match=said):
        face_run("gan", *words)


def test_there_are_no_answers_for_own_pictures(face_run, command, faces, tmp_path):
    result = face_run("vae", "plots=false", "trainer.max_epochs=1")
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    code, _, err = command("predict", f"run={result['folder']}", f"input={tmp_path / 'a.png'}")
    assert code == 1 and "generates images and does not classify" in err and "dlcourse.sample" in err


@pytest.mark.parametrize("model", ["vae", "gan", "autoencoder"])
def test_labelled_digits_of_8_pixels_are_drawn_too_and_their_class_is_a_factor(model):
    cfg = compose(f"model={model}", "data=digits8", "data.batch_size=8")
    data = build_data(cfg)
    data.setup()
    data.as_pictures()
    task, (images, labels) = data.task, data.arrays["train"]
    assert (task.kind, task.in_shape, task.factors, task.categories) == ("pictures", (1, 8, 8), ("class",), (10,))
    assert images.dtype == torch.uint8 and images.shape[1:] == (8, 8) and images.max() == 255
    assert labels.shape == (len(images), 1) and labels.unique().numel() == 10 and labels.max() == 1
    net = build_model(cfg, task)
    loss = net.training_loss(*next(iter(data.train_dataloader())))
    assert torch.isfinite(loss)
    assert net.decode_images(torch.randn(2, net.latent)).shape == (2, 8, 8)


@pytest.mark.parametrize(("side", "layers", "padded"), [(28, 4, 32), (8, 2, 8), (36, 3, 40), (64, 4, 64)])
def test_sides_that_cannot_be_halved_are_padded_and_cut_again(side, layers, padded):
    encoder = dcgan.Encoder((1, side, side), 3, 4, 4 if side < 36 else layers)
    decoder = dcgan.Decoder((1, side, side), 3, 4, 4 if side < 36 else layers)
    seen = []
    encoder.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2]))
    assert encoder(torch.zeros(2, 1, side, side)).shape == (2, 3) and seen == [padded]
    assert decoder(torch.zeros(2, 3)).shape == (2, 1, side, side)


def test_inputs_that_are_not_images_are_refused():
    data = build_data(compose("model=vae", "data=xor"))
    data.setup()
    with pytest.raises(UserError, match="a generative model needs images, but xor has 2 features"):
        data.as_pictures()
