"""The curves of XOR nets."""

import torch

from dlcourse.plots import xor


def test_every_curve_lies_within_its_panel(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(xor, "save", lambda figure, path: saved.append(figure))
    slow, fast = ((torch.linspace(high, low, 9), torch.tensor(solved)) for high, low, solved in
                  ((0.3, 0.2, [9, 0, 0, 0]), (3.0, 0.0, [2, 3, 4, 5])))  # fmt: skip
    groups = [xor.Group("2-2-1", f"rate {i}", curve, curve, solved) for i, (curve, solved) in enumerate((slow, fast))]
    xor._draw_learning(tmp_path / "learning.png", groups, "")
    (figure,) = saved
    for axes in figure.axes:
        assert axes.get_ylim()[0] == 0
        assert axes.get_ylim()[1] > max(float(line.get_ydata().max()) for line in axes.lines)
