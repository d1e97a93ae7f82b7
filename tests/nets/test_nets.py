"""Nets: shapes at every size, parameter counts, learning possible."""

from functools import partial

import pytest
import torch

from dlcourse.nets.polar import PolarNet
from dlcourse.nets.resnet import ResNet
from dlcourse.nets.three_conv import ThreeConv
from tests.nets.test_polar import SMALL


@pytest.mark.parametrize("make", [ResNet, ThreeConv, partial(PolarNet, **SMALL)])
@pytest.mark.parametrize(("channels", "side"), [(1, 75), (1, 150), (3, 64)])
def test_gives_the_sum_of_the_heads_and_a_gradient_everywhere(make, channels, side):
    net = make((channels, side, side), (12, 5))
    output = net(torch.randn(4, channels, side, side))
    assert output.shape == (4, 17)
    output.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts():
    # 3 convolutions, then 15*15*... by hand: 150 -> 74 -> 36 -> 17 pixels
    convolutions = (9 + 1) * 32 + 2 * (32 * 9 + 1) * 32
    dense = (32 * 17 * 17 + 1) * 128 + 129 * 128 + 129 * 720
    assert count(ThreeConv((1, 150, 150), (720,))) == convolutions + dense
    branches = ThreeConv((1, 150, 150), (12, 1), dense=[[256, 128], [128, 128]])
    hour = (32 * 17 * 17 + 1) * 256 + 257 * 128 + 129 * 12
    minute = (32 * 17 * 17 + 1) * 128 + 129 * 128 + 129
    assert count(branches) == convolutions + hour + minute
    assert count(ResNet((1, 150, 150), (144, 60))) == 2_850_316


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="widths has 2 entries, but blocks has 1"):
        ResNet((1, 32, 32), (1,), widths=[8, 8], blocks=[1])
    with pytest.raises(ValueError, match="widths is empty"):
        ResNet((1, 32, 32), (1,), widths=[], blocks=[])
    with pytest.raises(ValueError, match="too small"):
        ThreeConv((1, 8, 8), (1,))
    with pytest.raises(ValueError, match="3 entries for 2 heads"):
        ThreeConv((1, 64, 64), (1, 1), dense=[[8], [8], [8]])
    with pytest.raises(ValueError, match="dropout has 3 entries for 2 heads"):
        ThreeConv((1, 64, 64), (1, 1), dropout=[0, 0, 0])


def test_the_penalty_is_of_the_first_layer_of_a_head():
    net = ThreeConv((1, 32, 32), (2, 1), filters=(2, 2, 2), dense=[[3, 4], [5]], l2=[0.5, 0])
    penalty = net.penalty()
    torch.testing.assert_close(penalty, 0.5 * net.stacks[0][0].weight.square().sum())
    penalty.backward()
    assert [name for name, p in net.named_parameters() if p.grad is not None] == ["stacks.0.0.weight"]
    assert ThreeConv((1, 32, 32), (2, 1)).penalty() is None
