"""The four points."""

import torch

from dlcourse.config import compose
from dlcourse.models.build import build_data


def test_all_splits_are_the_four_points():
    data = build_data(compose("data=xor"))
    data.setup()
    assert list(data.arrays) == ["train", "val", "test"]
    x, y = data.arrays["test"]
    assert all(torch.equal(x, other) and torch.equal(y, labels) for other, labels in data.arrays.values())
    assert x.dtype == torch.float32 and y.dtype == torch.int64
    assert {(*point, label) for point, label in zip(map(tuple, x.tolist()), y.tolist(), strict=True)} == {
        (0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0),
    }  # fmt: skip
    assert data.task.in_shape == (2,) and data.task.classes == ("0", "1") and data.task.kind == "classes"
