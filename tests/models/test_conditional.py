"""Conditional models: what their nets are told, and what samples with given factors share."""

import math
from types import SimpleNamespace

import pytest
import torch

from dlcourse.analysis.latents import directions
from dlcourse.config import compose
from dlcourse.data.batches import seeded
from dlcourse.errors import UserError
from dlcourse.models.build import build_data, build_model
from dlcourse.nets.dcgan import Discriminator
from tests.conftest import FACE_NET, FACES
from tests.families import FAMILIES


def built(tmp_path, family):
    """An untrained model that knows the labels of its training images."""
    cfg = compose(*FAMILIES[family], f"data_dir={tmp_path}")
    data = build_data(cfg)
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    model = build_model(cfg, data.task)
    model.known.copy_(data.arrays["train"][1][torch.arange(len(model.known)) % 64])
    return model.eval()


@pytest.fixture
def model(tmp_path):
    return built(tmp_path, "gan")


@pytest.fixture
def vae(tmp_path):
    return built(tmp_path, "vae")


@pytest.fixture
def images():
    return torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=seeded(0))


def test_the_generator_is_told_the_factors(model):
    model.fix_factors({"hair": 2})
    first = model.sample_latents(4, seeded(0))
    model.fix_factors({"hair": 3})
    second = model.sample_latents(4, seeded(0))
    noise, condition = model.parts(first)
    assert noise.shape == (4, 6) and torch.equal(noise, model.parts(second)[0])
    assert ((condition != model.parts(second)[1]).sum(1) == 2).all()  # one hair less, another more
    assert not torch.allclose(model.decode(first), model.decode(second))


def test_samples_have_the_factors_of_training_images_that_they_are_not_compared_with(model):
    labels = torch.rand(3000, len(model.task.factors))
    model._trainer = SimpleNamespace(datamodule=SimpleNamespace(arrays={"train": (None, labels)}))
    model.on_fit_start()
    assert torch.equal(model.known, labels[-len(model.known) :].flip(0))


def test_factors_of_a_latent_are_read_and_replaced(model):
    model.fix_factors({"hair": 2, "smile": 0.25})
    z = model.sample_latents(1, seeded(0))[0]
    found = model.factors_of(z)
    assert list(found) == list(model.task.factors) and (found["hair"], found["smile"]) == (2, 0.25)
    assert torch.allclose(model.with_factors(z, found), z, atol=1e-6)
    other = model.with_factors(z, found | {"hair": 0, "smile": 1.0})
    assert torch.equal(other[:6], z[:6]) and model.factors_of(other) == found | {"hair": 0, "smile": 1.0}
    z[model.noise_length :] = 0  # any image
    assert model.factors_of(z) == {}


def test_a_condition_changes_the_weights_of_the_discriminators_last_layer():
    torch.manual_seed(0)
    net = Discriminator((3, 32, 32), conditions=4, width=4, layers=3).eval()
    x, condition = torch.randn(2, 3, 32, 32), torch.tensor([[1.0, 0, 1, 0], [1.0, 0, 0, 1]])
    weight = net.head.weight + condition @ net.projection.weight.T
    expected = (weight * net.features(x)).sum(1) + net.head.bias[0]
    assert torch.allclose(net(x, condition), expected, atol=1e-5)
    assert torch.equal(net(x), net(x, torch.zeros(2, 4)))  # zeros: any image


def test_both_losses_reach_what_reads_the_conditions(model, images):
    model.training_loss(images, model.known[:8]).backward()
    told = model.net.stem.weight.grad[:, model.noise_length :]
    assert told.abs().sum() > 0 and model.discriminator.projection.weight.grad.abs().sum() > 0


def test_the_decoder_of_a_vae_is_told_the_factors_and_its_encoder_estimates_them(vae, images):
    scores = slice(vae.noise_length, vae.latent)
    vae.training_loss(images, vae.known[:8]).backward()
    assert (vae.net.decoder.stem.weight.grad[:, scores].abs().sum(0) > 0).sum() > len(vae.task.factors)
    assert (vae.net.encoder.head.weight.grad[scores][1:].abs().sum(1) > 0).all()
    optimizer = torch.optim.Adam(vae.parameters(), 0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append(vae.estimation_loss(vae(images)[:, scores], vae.known[:8]).mean())
        vae.training_loss(images, vae.known[:8]).backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 3


def test_conditions_are_estimated_from_scores(vae):
    condition = vae.conditions(vae.known[:20])
    assert torch.allclose(vae.estimated(condition), condition, atol=1e-6)
    assert torch.allclose(vae.estimated(3 * condition - 1)[:, -6:], condition[:, -6:])  # one-hot: the highest score
    sure = torch.cat([condition[:, :8], 50 * condition[:, 8:]], 1)  # 1 and the seven numbers as they are
    assert vae.estimation_loss(sure, vae.known[:20]).max() < 1e-6
    blank = vae.estimation_loss(torch.zeros_like(condition), torch.zeros(20, 13))
    expected = sum(math.log(k) for k in vae.task.categories if k)
    assert torch.allclose(blank, torch.tensor(expected))


def test_a_vae_decodes_given_images_with_other_factors(vae, images):
    z = vae.latents(images)
    known = [vae.factors_of(row) for row in z]
    assert z.shape == (8, vae.latent) and all(list(found) == list(vae.task.factors) for found in known)
    vae.fix_factors({"hair": 2, "smile": 0.25})
    changed = vae.with_fixed_factors(z)
    assert torch.equal(changed[:, :5], z[:, :5]) and not torch.allclose(vae.decode(changed), vae.decode(z))
    for row, found in zip(changed, known, strict=True):
        assert vae.factors_of(row) == pytest.approx(found | {"hair": 2, "smile": 0.25})


def test_factors_of_given_images_cannot_change_where_the_others_are_unknown(model):
    z = model.sample_latents(2, seeded(0))
    z[:, model.noise_length :] = 0  # any image
    assert torch.equal(model.with_fixed_factors(z), z)
    model.fix_factors({"hair": 2})
    with pytest.raises(UserError, match="factors can change given images only if the model estimates"):
        model.with_fixed_factors(z)


def test_directions_of_a_vae_leave_the_condition_as_it_is(vae, images):
    assert directions(vae, images)[1].shape == (0, vae.latent)  # an untrained encoder: none is active
    with torch.no_grad():
        vae.net.encoder.head.weight[:5] *= 100
    start, ways, spans, names = directions(vae, images)
    assert start.shape == (vae.latent,) and ways.shape == (len(names), vae.latent) and 0 < len(spans) <= 5
    assert (ways[:, 5:] == 0).all()


def test_directions_leave_the_condition_as_it_is(model):
    start, ways, _, _ = directions(model, torch.empty(0))
    assert start.shape == (model.latent,) and ways.shape == (6, model.latent)
    assert (ways[:, model.noise_length :] == 0).all()


@pytest.mark.parametrize(
    ("conditional", "said"),
    [
        ("true", "model.conditional=true needs labels, but faces has none"),
        ("maybe", "conditional=maybe is not true or false: use for example model.conditional=true"),
    ],
)
def test_images_without_labels_and_other_words_are_refused(faces, conditional, said):
    cfg = compose("model=gan", *FACES, f"data.path={faces}", *FACE_NET, f"model.conditional={conditional}")
    data = build_data(cfg)
    data.setup()
    with pytest.raises(UserError, match=said):
        build_model(cfg, data.task)
