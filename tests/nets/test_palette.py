"""Images of a few colours: what a pixel can be, and that every colour learns from the start."""

import pytest
import torch

from dlcourse.nets.dcgan import Decoder
from dlcourse.nets.palette import MIXINGS, SHARPNESS, Palette, sparsemax
from dlcourse.nets.unet import UNet


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_each_pixel_is_a_mixture_of_the_colours():
    palette = Palette(features=5, colours=3, channels=4)
    maps, vectors = torch.randn(2, 3, 6, 7), torch.randn(2, 5)
    images = palette(maps, vectors)
    colours = palette.colours(vectors).view(2, 4, 3)
    shares = (SHARPNESS * maps).softmax(1)
    assert torch.allclose(images, torch.einsum("nck,nkhw->nchw", colours, shares), atol=1e-5)
    assert (images >= colours.min(2).values[:, :, None, None] - 1e-5).all()
    assert (images <= colours.max(2).values[:, :, None, None] + 1e-5).all()


@pytest.mark.parametrize("scale", [0.01, 0.3, 1, 100, 1e20])
def test_sparsemax_is_the_nearest_point_of_the_simplex(scale):
    """Nearest: at an obtuse angle, seen from there, lie the scores and every corner."""
    scores = scale * torch.randn(50, 64, 3, dtype=torch.float64)
    shares = sparsemax(scores)
    assert (shares >= 0).all() and torch.allclose(shares.sum(1), torch.ones(50, 3, dtype=torch.float64))
    gap = scores - shares
    assert (gap - (gap * shares).sum(1, keepdim=True) <= 1e-9 * scale).all()


def test_sparsemax_can_be_exported():
    class Net(torch.nn.Module):
        def forward(self, x):
            return sparsemax(x)

    program = torch.export.export(Net(), (torch.randn(3, 5, 2),))
    scores = 3 * torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(program.module()(scores), sparsemax(scores), atol=1e-6)


def test_sparsemax_passes_gradients_to_the_shares_above_zero():
    scores = torch.tensor([[0.3, 0.1, -2.0]], requires_grad=True)
    shares = sparsemax(scores)
    assert torch.allclose(shares, torch.tensor([[0.6, 0.4, 0.0]]))
    (slope,) = torch.autograd.grad(shares[0, 0], scores)
    assert torch.allclose(slope, torch.tensor([[0.5, -0.5, 0.0]]))
    assert torch.autograd.gradcheck(sparsemax, torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True))


def test_a_mixing_that_is_unknown_or_unused_is_refused():
    with pytest.raises(ValueError, match="mixing=hardmax is unknown: use softmax or sparsemax"):
        Decoder((3, 16, 16), 6, palette=4, mixing="hardmax")
    with pytest.raises(ValueError, match="mixing=sparsemax needs a palette: add for example palette=16"):
        UNet((3, 16, 16), mixing="sparsemax")


@pytest.mark.parametrize("colours", [-1, 1, 2.5, True])
def test_a_wrong_number_of_colours_is_refused(colours):
    for make in (lambda: Decoder((3, 16, 16), 6, palette=colours), lambda: UNet((3, 16, 16), palette=colours)):
        with pytest.raises(ValueError, match=f"palette={colours} is not a number of colours: use 0"):
            make()


@pytest.mark.parametrize("mixing", MIXINGS)
def test_an_area_of_one_map_is_exactly_flat(mixing):
    palette = Palette(features=5, colours=3, channels=3, mixing=mixing)
    maps = torch.rand(1, 3, 8, 8)
    maps[:, 1, 2:6, 2:6] += 30
    area = palette(maps, torch.randn(1, 5))[0, :, 2:6, 2:6].flatten(1)
    assert torch.allclose(area, area[:, :1].expand_as(area), atol=1e-6)


@pytest.mark.parametrize("net", ["decoder", "unet"])
@pytest.mark.parametrize("side", [16, 28])
@pytest.mark.parametrize("mixing", MIXINGS)
def test_nets_with_a_palette_keep_the_shape_and_every_colour_learns(net, side, mixing):
    shape, images = (3, side, side), torch.rand(4, 3, side, side)
    if net == "decoder":
        made = Decoder(shape, 6, width=8, layers=2, palette=5, mixing=mixing)
        drawn, last = made(torch.randn(4, 6)), made.body[-1]
    else:
        made = UNet(shape, widths=[8, 16], patch=4, palette=5, mixing=mixing)
        drawn, last = made(images, torch.rand(4)), made.head[-1]
    assert drawn.shape == images.shape
    (drawn - images).square().mean().backward()
    found = last.weight.grad.transpose(0, 1) if net == "decoder" else last.weight.grad  # transposed convolution
    assert (found.flatten(1).abs().sum(1) > 0).all() and len(found.flatten(1).unique(dim=0)) == len(found)
