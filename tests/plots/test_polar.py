"""The plot of a polar net's samples."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from dlcourse.config import compose
from dlcourse.data.task import Task
from dlcourse.models.build import build_model
from dlcourse.plots.polar import draw
from tests.conftest import NET


@pytest.mark.parametrize("channels", [1, 3])
def test_the_samples_of_grey_and_coloured_images_are_drawn(tmp_path, channels):
    task = Task("clocks", "time", (channels, 40, 40), 100.0, 50.0)
    model = build_model(compose("model=clock_multihead", "data=clocks", *NET), task).eval()
    assert model.plots() == ("time", "polar")
    shape = (5, 40, 40) if channels == 1 else (5, 40, 40, 3)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    (tmp_path / "plots").mkdir()
    draw(tmp_path, model, SimpleNamespace(arrays={"test": (images, torch.zeros(5, 2))}))
    with Image.open(tmp_path / "plots" / "unrolled.png") as drawn:
        assert drawn.width > 800
