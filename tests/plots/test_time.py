"""Contact sheets of clocks show the pictures and the dials on them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.plots import time
from dlcourse.plots.curves import ANSWER


@pytest.mark.parametrize("count", [1, 7])
def test_predictions_show_each_clock_and_its_answer(tmp_path: Path, count: int):
    pictures = torch.full((count, 40, 40), 100, dtype=torch.uint8)
    pictures[:, ::2] = 150
    names = [Path(f"clock {i}.png") for i in range(count)]
    path = tmp_path / "sheet.png"
    answers = {"minutes": 11.0 * torch.arange(count)}
    time.draw_predictions(path, None, pictures, answers, names)  # the model is not asked
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    grey = np.abs(picture - np.array([125, 125, 125])).max(2) <= 26
    assert grey.mean() > 0.35
    red = np.array([int(ANSWER[i : i + 2], 16) for i in (1, 3, 5)])
    assert (np.abs(picture - red).max(2) <= 8).sum() > 40 * count
