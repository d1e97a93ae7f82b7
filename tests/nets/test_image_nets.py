"""Nets for images in classes: parameter counts as reported, an effect of every option, wrong options refused."""

import copy
import inspect
from functools import cache

import pytest
import torch
from hydra.utils import get_class
from torch import nn

from dlcourse.config import choices, compose
from dlcourse.models.build import build
from dlcourse.nets.cnn import CNN
from dlcourse.nets.fast_cnn import FastCNN
from dlcourse.nets.layer_list import LayerList
from dlcourse.nets.layers import ACTIVATIONS, INITS, Residual
from dlcourse.nets.mlp import MLP
from dlcourse.nets.mnist_cnn import MnistCNN
from dlcourse.nets.resnet50 import ResNet50
from dlcourse.nets.wide_resnet import WideResNet

MNIST, CIFAR, DIGITS, IMAGENET = (1, 28, 28), (3, 32, 32), (1, 16, 16), (3, 224, 224)
NAMES = choices("model/net", shipped=True)


@cache
def config(name):
    return compose("model=clock_multihead", "data=clocks", f"model/net={name}").model.net


def made(name, shape, outputs=10, **options):
    """The net of a YAML with some options changed, on no device: it can be counted but not called."""
    cfg = config(name).copy()
    cfg.update(options)
    with torch.device("meta"):
        return build(cfg, in_shape=shape, outputs=(outputs,))


def count(net):
    return sum(p.numel() for p in net.parameters())


def count_as_keras(net):
    """Keras counts the running mean and variance of batch norm too: 4 numbers a channel, of which 2 are trained."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    return count(net) + sum(2 * m.num_features for m in net.modules() if isinstance(m, norms))


@pytest.mark.parametrize("name", NAMES)
def test_a_yaml_shows_every_option(name):
    parameters = set(inspect.signature(get_class(config(name)._target_)).parameters)
    assert {key for key in config(name) if not key.startswith("_")} == parameters - {"in_shape", "outputs"}


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "options", "expected"),
    [
        ("mlp", MNIST, 10, {}, 266_610),  # C1
        ("mlp", CIFAR, 10, {}, 953_010),  # C3
        ("cnn", MNIST, 10, {}, 1_413_834),  # C2
        ("cnn", CIFAR, 10, {}, 1_649_482),  # C4
        ("mnist_cnn_wide", MNIST, 10, {}, 2_210_154),  # D2: about 2.2M
        ("digits_cnn", DIGITS, 10, {}, 139_906),  # A7: about 140k
        ("vgg16", IMAGENET, 1000, {"dense": [4096, 4096], "batch_norm": False}, 138_357_544),  # as published
        ("vgg16", IMAGENET, 1000, {"dense": [4096, 4096]}, 138_365_992),  # torchvision's vgg16_bn
        ("vgg16", CIFAR, 10, {}, 15_253_578),
        ("simple_cnn", CIFAR, 100, {}, 2_584_548),  # F2
        ("intermediate_cnn", CIFAR, 100, {}, 5_815_460),
        ("school_cnn", CIFAR, 100, {}, 4_894_692),  # F3, F4
        ("deeper_cnn", CIFAR, 100, {}, 6_561_764),
        ("fast_cnn", CIFAR, 10, {}, 288 + 497_792),  # the first layer is not trained
        ("fast_cnn", CIFAR, 10, {"residual": True}, 288 + 497_792 + 304_128 + 576),  # three convolutions and norms
        ("mnist_cnn", MNIST, 10, {}, 403_178),
        ("mnist_cnn", MNIST, 10, {"first": "plain"}, 403_338),
        ("wide_resnet", CIFAR, 10, {"depth": 28, "widen": 10}, 36_479_194),  # as published
        ("wide_resnet", CIFAR, 10, {}, 2_748_890),
        ("resnet50", IMAGENET, 1000, {"stem": "original"}, 25_557_032),  # torchvision's
        ("resnet50", CIFAR, 100, {}, 23_705_252),
    ],
)
def test_parameter_counts(name, shape, outputs, options, expected):
    assert count(made(name, shape, outputs, **options)) == expected


@pytest.mark.parametrize(("first", "expected", "weights"), [("dilated", 403_562, 128), ("plain", 403_722, 288)])
def test_the_net_of_row_d1_as_keras_counts(first, expected, weights):
    net = made("mnist_cnn", MNIST, first=first)
    assert count_as_keras(net) == expected
    convolutions = [sum(p.numel() for p in m.parameters()) for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == [weights, 9_216, 25_632, 18_432, 36_864, 102_464, 204_928]
    assert sum(p.numel() for p in net.head.parameters()) == 5_130


@pytest.mark.parametrize(
    ("filters", "dense"),
    [([64, 128], [1024]), ([128, 128], [4096]), ([64, 128], [1024, 1024])],  # E1, E2, E3 and E4
)
def test_vgg_blocks(filters, dense):
    first, second = filters
    expected = (27 + 1) * first + (9 * first + 1) * second
    for before, units in zip([second * 16 * 16, *dense], [*dense, 10], strict=True):
        expected += (before + 1) * units
    net = made("vgg_block", CIFAR, stages=[filters], dense=dense, dropout=0.65)
    assert count(net) == expected
    assert sum(m.p == 0.65 for m in net.modules() if isinstance(m, nn.Dropout)) == len(dense)


def test_the_school_net_as_keras_counts():
    net = made("school_cnn", CIFAR, 100)
    assert count_as_keras(net) == 4_899_044
    assert [m.in_features for m in net.modules() if isinstance(m, nn.Linear)] == [512, 512]  # the last map is 1x1
    assert {(m.eps, m.momentum) for m in net.modules() if isinstance(m, nn.BatchNorm2d)} == {(1e-3, 0.01)}


def test_a_layer_list_is_built_in_its_order():
    net = LayerList(MNIST, (3, 2), ["conv 4", "norm", "pool", "dropout 0.3", "dense 8", "norm"], padding="same")
    kinds = [type(m).__name__ for m in net.features]
    assert kinds == [
        "Conv2d",
        "ReLU",
        "BatchNorm2d",
        "MaxPool2d",
        "Dropout",
        "Flatten",
        "Linear",
        "ReLU",
        "BatchNorm1d",
    ]
    assert net.features[6].in_features == 4 * 14 * 14 and not net.features[0].bias.any()
    assert LayerList(MNIST, (3,), ["conv 4"]).head.in_features == 4 * 26 * 26  # valid


SMALL = {
    "mlp": lambda shape: MLP(shape, (7, 5), widths=[8, 8], batch_norm=True, residual=True),
    "cnn": lambda shape: CNN(shape, (7, 5), stages=[[4], [6, 6]], kernels=[5, 3], dense=[8]),
    "residual": lambda shape: CNN(shape, (7, 5), [[4, 4], [4, 4], [6]], 3, "gelu", True, residual=True, dense=[]),
    "global": lambda shape: CNN(shape, (7, 5), [[4], [6]], 1, head="global_average", dense_batch_norm=True),
    "vgg16": lambda shape: CNN(shape, (7, 5), [[4, 4], [4, 4], [8] * 3, [8] * 3], 3, batch_norm=True),
    "mnist_cnn": lambda shape: MnistCNN(shape, (7, 5)),
    "plain": lambda shape: MnistCNN(shape, (7, 5), first="plain"),
    "layers": lambda shape: LayerList(shape, (7, 5), ["conv 4", "norm", "pool", "dense 8", "dropout 0.3", "norm"]),
    "wide_resnet": lambda shape: WideResNet(shape, (7, 5), depth=10, widen=2, dropout=0.3),
    "resnet50": lambda shape: ResNet50(shape, (7, 5), stem="original"),
}


@pytest.mark.parametrize("shape", [MNIST, CIFAR], ids=["1x28x28", "3x32x32"])
@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_gives_the_sum_of_the_heads_and_a_gradient_everywhere(make, shape):
    torch.manual_seed(0)
    net = make(shape).to(memory_format=torch.channels_last)
    images = torch.randn(4, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(images)
    assert output.shape == (4, 12) and output.dtype == torch.float32
    output.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
    net.eval()
    twin = copy.deepcopy(net)
    assert torch.equal(net(images), twin(images))
    torch.manual_seed(0)
    again = make(shape)  # BatchNorm has seen a batch in the first, but nobody has changed its weights
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("name", ["cnn", "resnet", "three_conv", "polar"])
def test_works_in_double_precision(name):
    net = build(config(name), in_shape=(1, 40, 40), outputs=(12, 5)).double().eval()
    with torch.no_grad():
        assert net(torch.rand(2, 1, 40, 40, dtype=torch.float64)).dtype == torch.float64


def test_small_stem_keeps_the_size():
    small, original = made("resnet50", CIFAR), made("resnet50", CIFAR, stem="original")
    x = torch.empty(1, 3, 32, 32, device="meta")
    sides = [net.net.maxpool(net.net.conv1(x)).shape[-1] for net in (small, original)]
    assert sides == [32, 8]


@pytest.mark.parametrize(
    ("taper", "widths"),
    [("constant", [20, 20, 20]), ("rising", [20, 40, 60]), ("falling", [60, 40, 20])],
)
def test_depth_makes_hidden_layers(taper, widths):
    net = MLP(MNIST, (10,), depth=3, width=20, taper=taper)
    assert [m.out_features for m in net.modules() if isinstance(m, nn.Linear)] == [*widths, 10]
    assert count(net) == count(MLP(MNIST, (10,), widths))


def test_a_net_without_hidden_layers_is_linear():
    assert count(MLP((256,), (10,), depth=0)) == count(MLP((256,), (10,), widths=[])) == 2570


def test_features_are_taken_as_a_square_picture():
    torch.manual_seed(0)
    flat = CNN((256,), (10,), [[4]], 3, dense=[])
    torch.manual_seed(0)
    square = CNN(DIGITS, (10,), [[4]], 3, dense=[])
    x = torch.randn(2, 256)
    assert torch.equal(flat(x), square(x.unflatten(1, DIGITS)))


def answers(make, train, **options):
    torch.manual_seed(0)
    net = make(**options).train(train)
    torch.manual_seed(1)
    return net(torch.randn(4, *DIGITS))


def small_cnn(**options):
    return CNN(DIGITS, (10,), **({"stages": [[4, 4], [6, 6]], "kernels": 3, "dense": [8], "dropout": 0.0} | options))


def small_mlp(**options):
    return MLP(DIGITS, (10,), **({"widths": [8, 8]} | options))


def small_fast(**options):
    return FastCNN(DIGITS, (10,), **({"widths": [4, 8]} | options))


@pytest.mark.parametrize(
    ("make", "options"),
    [
        *((small_cnn, {"activation": name}) for name in ACTIVATIONS if name != "relu"),
        *((small_cnn, {"init": name}) for name in INITS if name != "default"),
        *((small_cnn, {"batch_norm": True, "norm_place": place}) for place in ("before", "after")),
        *((small_cnn, {"kernels": kernel}) for kernel in (1, 5, 7, [5, 3])),
        (small_cnn, {"pool": "average"}),
        (small_cnn, {"stage_dropout": 0.5}),
        (small_cnn, {"stage_dropout": [0, 0.5]}),
        (small_cnn, {"residual": True}),
        (small_cnn, {"head": "global_average"}),
        (small_cnn, {"dense": [8, 8]}),
        (small_cnn, {"dense_batch_norm": True}),
        (small_cnn, {"dropout": 0.5}),
        (small_mlp, {"activation": "sigmoid"}),
        (small_mlp, {"init": "he"}),
        (small_mlp, {"dropout": 0.5}),
        (small_mlp, {"batch_norm": True}),
        (small_mlp, {"residual": True}),
        (small_fast, {"residual": True}),
        (small_fast, {"whitening": 3}),
        (small_fast, {"scale": 0.5}),
    ],
    ids=lambda given: getattr(given, "__name__", str(given)),
)
def test_every_option_has_an_effect(make, options):
    assert torch.equal(answers(make, True), answers(make, True))
    changed = answers(make, True, **options)
    assert changed.isfinite().all() and not torch.allclose(answers(make, True), changed)


def test_places_of_batch_norm():
    def order(place):
        net = small_cnn(stages=[[4, 4]], batch_norm=True, norm_place=place)
        return [type(m).__name__ for m in net.features if not isinstance(m, (nn.Dropout, nn.Flatten))]

    assert order("before") == ["Conv2d", "BatchNorm2d", "ReLU"] * 2 + ["MaxPool2d"]
    assert order("after") == ["Conv2d", "ReLU", "BatchNorm2d"] * 2 + ["MaxPool2d"]


def test_shortcuts():
    net = small_cnn(stages=[[4, 4], [4, 4]], residual=True)
    shortcuts = [m.shortcut for m in net.modules() if isinstance(m, Residual)]
    assert [type(s) for s in shortcuts] == [nn.Conv2d, nn.Identity]
    x = torch.randn(2, 4, 8, 8)
    block = next(m for m in list(net.modules())[::-1] if isinstance(m, Residual))
    assert torch.equal(block(x), block.body(x) + x)


@pytest.mark.parametrize(("init", "std"), [("he", 0.1), ("lecun", 0.005**0.5), ("normal", 0.05)])
def test_initial_weights(init, std):
    torch.manual_seed(0)
    layer = next(m for m in MLP((200,), (10,), init=init).modules() if isinstance(m, nn.Linear))
    assert layer.weight.std().item() == pytest.approx(std, rel=0.02) and not layer.bias.any()


@pytest.mark.parametrize(
    "make", [lambda p: WideResNet(MNIST, (3,), 10, 1, p), lambda p: MnistCNN(MNIST, (3,), "plain", p)]
)
def test_dropout_is_for_training_only(make):
    torch.manual_seed(0)
    x, net = torch.randn(4, *MNIST), make(0.5)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small_mlp(activation="rely"), "activation=rely is unknown: use one of relu, leaky_relu"),
        (lambda: small_mlp(init="xavier"), "init=xavier is unknown: use one of default, he"),
        (lambda: small_mlp(depth=2, taper="up"), "taper=up is unknown: use one of constant, rising, falling"),
        (lambda: small_mlp(depth=-1), "depth=-1 .* use a whole number from 0"),
        (lambda: small_mlp(widths=[10, 0]), "dense layers contains 0: use positive whole numbers"),
        (lambda: small_mlp(dropout=2), "between 0 and 1"),
        (lambda: small_cnn(norm_place="first"), "norm_place=first is unknown: use one of before, after"),
        (lambda: small_cnn(pool="min"), "pool=min is unknown: use one of max, average"),
        (lambda: small_cnn(head="mean"), "head=mean is unknown: use one of flatten, global_average"),
        (lambda: small_cnn(kernels=[3]), "kernels has 1 entries for 2 stages: use one number, or one for each"),
        (lambda: small_cnn(stage_dropout=[0, 0, 0]), "stage_dropout has 3 entries for 2 stages"),
        (lambda: small_cnn(kernels=4), "kernels=4 does not keep the size of an image: use odd numbers"),
        (lambda: small_cnn(stages=[4, 4]), r"stages must be lists of filters, .* but one is 4"),
        (lambda: small_cnn(stages=[[], [4]]), r"stages must be lists of filters, .* but one is \[\]"),
        (lambda: small_cnn(stages=[[4]] * 5), "images of 16x16 are too small for 5 poolings: use fewer stages"),
        (lambda: CNN((257,), (1,)), "needs images, but the inputs have 257 features: use model/net=mlp"),
        (lambda: MnistCNN((1, 12, 28), (1,)), "images of 12x28 are too small for this net: use 13x13"),
        (lambda: MnistCNN(MNIST, (1,), first="3x3"), "first=3x3 is unknown: use one of dilated, plain"),
        (lambda: MnistCNN((784,), (1,)), "needs images"),
        (lambda: WideResNet(CIFAR, (1,), depth=18), "depth=18 is not 6 n .* use 10, 16"),
        (lambda: WideResNet(CIFAR, (1,), widen=0), "widen=0 is below 1: use 1 or more"),
        (lambda: LayerList(CIFAR, (1,), ["conv"]), "'conv' is not a layer: write 'conv 64'"),
        (lambda: LayerList(CIFAR, (1,), ["conv 1.5"]), "'conv 1.5' is not a layer"),
        (lambda: LayerList(CIFAR, (1,), ["dropout 1"]), "'dropout 1' is not a layer"),
        (lambda: LayerList(CIFAR, (1,), ["pool 3"]), "'pool 3' is not a layer"),
        (lambda: LayerList(CIFAR, (1,), ["dense 8", "conv 4"]), r"conv 4 \(entry 2\) follows a dense layer"),
        (lambda: LayerList(CIFAR, (1,), ["pool"] * 6), r"images of 32x32 are too small for pool \(entry 6"),
        (lambda: LayerList(CIFAR, (1,), padding="full"), "padding=full is unknown: use one of valid, same"),
        (lambda: ResNet50(CIFAR, (1,), stem="tiny"), "stem=tiny is unknown: use one of original, small"),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_smallest_picture_that_fits():
    assert MnistCNN((1, 13, 13), (2,)).eval()(torch.zeros(1, 1, 13, 13)).shape == (1, 2)
    assert small_cnn(stages=[[4]] * 4)(torch.zeros(1, *DIGITS)).shape == (1, 10)
