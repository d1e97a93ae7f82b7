"""The polar net: a turn of the object changes nothing, but the direction of the camera."""

import pytest
import torch

from dlcourse.nets.polar import PolarNet

SMALL = {"width": 8, "steps": (1, 2), "first": 4, "read": 3, "radii": 16, "angles": 48}


def small(channels=1, side=40, **more):
    torch.manual_seed(0)
    return PolarNet((channels, side, side), (12, 5), **(SMALL | more))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turn_of_the_image_changes_nothing_but_the_perspective(quarters):
    net = small().eval()
    images = torch.rand(5, 1, 40, 40)
    turned = torch.rot90(images, quarters, (2, 3))
    with torch.no_grad():
        assert (net(images) - net(turned)).abs().max() > 1e-4  # it knows where up is in the image
        net.perspective.weight.zero_()
        torch.testing.assert_close(net(images), net(turned), rtol=1e-4, atol=1e-5)
        assert (net(images) - net(torch.rot90(images.flip(3), quarters, (2, 3)))).abs().max() > 1e-4  # no mirror image


def test_the_samples_lie_on_ellipses_around_the_centre():
    net = small(centre=(0.4, 0.6), reach=0.3, squeeze=0.5)
    x, y = net.grid[0].unbind(-1)
    torch.testing.assert_close(x.mean(), torch.tensor(-0.2), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.mean(), torch.tensor(0.2), atol=1e-5, rtol=0)
    assert y[-1, 0] < 0.2 and x[-1, 12] > -0.2  # first angle up, then clockwise
    across, down = (x + 0.2) / 2, (y - 0.2) / 2 / 0.5
    torch.testing.assert_close((across**2 + down**2).sqrt()[-1], torch.full((48,), 0.3))


def test_parameter_count():
    assert sum(p.numel() for p in PolarNet((1, 150, 150), (144, 60)).parameters()) == 555_237


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radii": 20}, "radii=20 and angles=48 must be multiples of 8 and 4"),
        ({"angles": 50}, "radii=16 and angles=50 must be multiples"),
        ({"width": 0}, "contains 0: use positive whole numbers"),
        ({"centre": "abc"}, "centre=abc is not a place in the image: use two numbers"),
        ({"centre": (0.5,)}, "is not a place in the image"),
        ({"steps": (1, 8)}, r"steps=\[1, 8\] reach further than the 12 angles"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        small(**options)


def test_dense_inputs_are_refused():
    with pytest.raises(ValueError, match="needs images"):
        PolarNet((64,), (10,))
