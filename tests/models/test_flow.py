"""Flow matching: the solver against a known solution, conditions, inpainting, and what a run leaves behind."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from dlcourse.analysis.masks import hidden_part
from dlcourse.config import compose
from dlcourse.errors import UserError
from dlcourse.models.activations import features
from dlcourse.models.build import build_data, build_model, load_run
from dlcourse.nets.unet import UNet
from tests.families import COMMON, FAMILIES


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of the tiny conditional flow with its plots."""
    from dlcourse.commands.train import run

    folder = tmp_path_factory.mktemp("flow")
    words = [*FAMILIES["flow"], *COMMON, "plots=true", f"data_dir={folder}"]
    return run(compose(*words), folder=folder / "run")


@pytest.fixture(scope="module")
def model(trained):
    return load_run(Path(trained["folder"]))[1]


def untrained(tmp_path, *words):
    cfg = compose(*FAMILIES["flow"], f"data_dir={tmp_path}", *words)
    data = build_data(cfg)
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    return build_model(cfg, data.task), data


@pytest.mark.whole
def test_a_run_ends_with_scores_plots_and_a_table_of_steps(trained):
    metrics = trained["metrics"]
    assert {"test/frechet_distance", "test/nearest_ratio", "test/late_loss", "val/loss"} <= set(metrics)
    plots = {path.name for path in (Path(trained["folder"]) / "plots").iterdir()}
    assert plots >= {"samples.png", "interpolation.png", "nearest.png", "curves.png", "epochs.png"}
    assert plots >= {"steps.png", "steps.csv", "path.png", "inpainting.png", "conditions.png"}
    rows = (Path(trained["folder"]) / "plots" / "steps.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 5 + 1 and rows[1].startswith("heun,1,") and rows[-1].startswith("real,0,")


def test_its_features_are_its_latents(model):
    images = torch.randint(0, 256, (6, 32, 32, 3), dtype=torch.uint8)
    found = features(model, images)
    assert torch.equal(found, model.latents(images)) and not torch.equal(found[0], found[1])


class BestGuess(torch.nn.Module):
    """The mean of normal images of mean 0 and a variance, given a point that is scaled to a mean square of 1."""

    def __init__(self, variance):
        super().__init__()
        self.variance = variance

    def forward(self, x, times, condition):
        t = times[:, None, None, None]
        return self.variance * t / ((1 - t) ** 2 + self.variance * t**2).sqrt() * x


def test_the_solvers_carry_noise_to_normal_images_with_their_orders(tmp_path):
    """For those the way is known: the noise times the images' deviation."""
    model, _ = untrained(tmp_path, "model.conditional=false", "model.bounded=false")
    model.average = BestGuess(model.power)
    z = torch.randn(3, model.latent)
    errors = {}
    for model.solver in ("heun", "euler"):
        for model.steps in (16, 32):
            end = model.integrate(z.unflatten(1, (3, 32, 32)), None).flatten(1)
            errors[model.solver, model.steps] = (end - model.power**0.5 * z).abs().max().item()
    assert errors["heun", 32] < 0.01
    assert errors["euler", 16] / errors["euler", 32] == pytest.approx(2, rel=0.3)  # first order
    assert errors["heun", 16] / errors["heun", 32] == pytest.approx(4, rel=0.4)  # second order


def test_the_noise_of_an_image_leads_back_to_it(tmp_path):
    model, data = untrained(tmp_path, "model.conditional=false", "model.bounded=false", "model.steps=64")
    model.average = BestGuess(model.power)
    images = data.arrays["train"][0][:3]
    assert (model.reconstructed(images).float() - images.float()).abs().mean() < 3


def test_the_loss_is_the_squared_error_of_the_velocity(tmp_path):
    model, data = untrained(tmp_path, "model.conditional=false")
    torch.nn.init.normal_(model.average.head[-1].weight, std=0.05)
    x = model.normalize(data.arrays["train"][0][:1])
    noise = torch.randn_like(x)
    for time in (0.0, 0.5, 0.9):
        found = model.squared_errors(model.average, x, noise, torch.tensor([time]), None)
        velocity = model.velocity(torch.lerp(noise, x, time), time, None)
        assert found.item() == pytest.approx((velocity - (x - noise)).square().mean().item(), rel=1e-3)


def test_conditions_are_one_hot_and_samples_can_be_given_factors(model):
    task = model.task
    labels = torch.rand(5, len(task.factors))
    for i, k in enumerate(task.categories):
        if k:
            labels[:, i] = torch.arange(5) % k / (k - 1)
    condition = model.conditions(labels)
    assert condition.shape == (5, 1 + sum(max(1, k) for k in task.categories)) and (condition[:, 0] == 1).all()
    hair, smile = task.factors.index("hair"), task.factors.index("smile")
    start = 1 + sum(max(1, k) for k in task.categories[:hair])
    assert torch.equal(condition[:, start : start + 6].argmax(1), torch.arange(5) % 6)
    model.fix_factors({"hair": 4, "smile": 0.25})
    z = model.sample_latents(7, torch.Generator().manual_seed(0))
    model.fix_factors({})
    condition = z[:, model.noise_length :]
    assert (condition[:, start : start + 6].argmax(1) == 4).all()
    assert torch.allclose(condition[:, 1 + sum(max(1, k) for k in task.categories[:smile])], torch.tensor(0.25))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hat": 1}, "unknown factor hat: use one of head_width"),
        ({"hair": 6}, "hair=6 is not an integer from 0 to 5"),
        ({"hair": 1.5}, "hair=1.5 is not an integer"),
        ({"smile": 2}, "smile=2 is not a number from 0 to 1"),
    ],
)
def test_factors_that_do_not_exist_are_refused(model, values, said):
    with pytest.raises(UserError, match=said):
        model.fix_factors(values)


def test_guidance_goes_beyond_the_condition(model):
    z = model.sample_latents(2, torch.Generator().manual_seed(2))
    noise, condition = model.start(z)
    given, free = (model.velocity(noise, 0.4, t) for t in (condition, torch.zeros_like(condition)))
    model.guidance = 3.0
    guided = model.velocity(noise, 0.4, condition)
    model.guidance = 1.0
    assert torch.allclose(guided, free + 3 * (given - free), atol=1e-4)


def test_the_seen_part_of_an_image_stays_and_the_rest_changes(model, monkeypatch):
    images = model.decode_images(model.sample_latents(3, torch.Generator().manual_seed(3)))
    mask = hidden_part("right", 32, 32)
    drawn = model.inpaint(images, mask, model.sample_latents(3, torch.Generator().manual_seed(4)))
    monkeypatch.setattr("dlcourse.models.flow.DRAW", 2)  # in parts
    model.train()
    parts = model.inpaint(images, mask, model.sample_latents(3, torch.Generator().manual_seed(4)))
    assert (parts.int() - drawn.int()).abs().max() <= 1 and model.training
    assert torch.equal(drawn[:, :, :16], images[:, :, :16]) and not torch.equal(drawn[:, :, 16:], images[:, :, 16:])
    assert hidden_part("middle", 32, 32).sum() == 256 and hidden_part("top", 8, 8)[:4].all()


def test_an_interpolation_mixes_conditions_evenly(model):
    a, b = model.sample_latents(2, torch.Generator().manual_seed(5))
    way = model.between(a, b, 3)
    assert torch.allclose(way[1, model.noise_length :], (a + b)[model.noise_length :] / 2)
    assert way[1, : model.noise_length].norm() == pytest.approx(a[: model.noise_length].norm().item(), rel=0.05)


def test_sample_takes_factors_and_hides_a_part(trained, command, tmp_path):
    run = f"run='{trained['folder']}'"
    code, _, err = command("sample", run, "n=4", "factors={hair: 2}", f"hydra.run.dir={tmp_path / 'one'}")
    assert code == 0, err
    Image.new("RGB", (40, 40), "white").save(tmp_path / "a.png")
    words = [f"input={tmp_path / 'a.png'}", "hide=left"]
    code, _, err = command("sample", run, *words, f"hydra.run.dir={tmp_path / 'two'}")
    assert code == 0, err
    with Image.open(tmp_path / "two" / "samples.png") as sheet:
        assert sheet.size == (3 * 32 + 2 * 2, 32)
    for words, said in (
        (["hide=left"], "hide=left needs images"),
        ([f"input={tmp_path / 'a.png'}", "hide=corner"], "unknown hide=corner: use left, right"),
        (["factors={hat: 2}"], "unknown factor hat"),
        (["factors=3"], "factors=3 is not a mapping"),
    ):
        code, _, err = command("sample", run, *words, f"hydra.run.dir={tmp_path / 'three'}")
        assert code == 1 and said in err, err
    other = ["data=toons", "data.count=64", "data.validation=8", "data.test=8", "data.size=32"]
    code, _, err = command("evaluate", run, *other, f"hydra.run.dir={tmp_path / 'four'}")
    assert code == 1 and "is conditioned on the factors head_width" in err and "and 39 more: choose other data" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.solver=midpoint"], "model.solver=midpoint is unknown: use heun or euler"),
        (["model.steps=0"], "model.steps=0 is below 1"),
        (["model.ema=1"], "model.ema=1"),
        (["model.net.widths=[]"], "must be positive integers"),
        (["model.sharpness=2"], "sharpness=2 needs a palette"),
        (["model.sharpness=0"], "model.sharpness=0 above 0"),
    ],
)
def test_wrong_settings_get_a_sentence(tmp_path, words, said):
    with pytest.raises(UserError, match=said):
        untrained(tmp_path, *words)


@pytest.mark.parametrize(("shape", "patch"), [((1, 28, 28), 4), ((1, 8, 8), 2), ((3, 36, 20), 2), ((3, 33, 33), 1)])
def test_any_size_is_padded_and_cut_again(shape, patch):
    net = UNet(shape, widths=(4, 8), patch=patch, conditions=2, blocks=2)
    x = torch.randn(2, *shape)
    assert net(x, torch.rand(2), torch.rand(2, 2)).shape == x.shape and (net(x, torch.rand(2)) == 0).all()


def test_sharper_samples_mix_fewer_colours_and_the_loss_stays(tmp_path):
    def answers(*words):
        model, data = untrained(tmp_path, "model.net.palette=3", *words)
        batch = [part[:8] for part in data.arrays["train"]]
        torch.manual_seed(1)
        return model.eval().training_loss(*batch).item(), model.sampled(4, 0)

    loss, samples = answers()
    same, sharper = answers("model.sharpness=50")
    assert same == loss and not torch.equal(samples, sharper)
    sizes = [len(x.flatten(0, 2).unique(dim=0)) for x in (samples, sharper)]
    assert sizes[1] < sizes[0]
