"""Scenes like the course's originals: planks, lamp and viewpoints as measured on the original images."""

import pytest
import torch
from torch import Tensor

from dlcourse.clocks.course import VIEWPOINTS, CourseRanges, mirrored_lamp
from dlcourse.clocks.geometry import Camera
from dlcourse.clocks.render import render
from dlcourse.clocks.scene import Scene, draw_scenes


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw_scenes(torch.arange(720), 3, CourseRanges())


def _apart(a: Tensor, b: Tensor | float, period: float) -> Tensor:
    return ((a - b + period / 2) % period - period / 2).abs()


def test_free_scenes_are_drawn_as_before():
    scene = draw_scenes(torch.tensor([0, 70, 300, 719]), 3)
    images = render(scene, 48)
    factors = [1553.4566544666886, 2207.160443553701, 2320.5949098733254, 2179.5504636834376]
    assert scene.factors.double().sum(1).tolist() == pytest.approx(factors, rel=1e-6)
    pixels = [[195, 198, 189, 136, 72], [204, 202, 73, 195, 167], [180, 186, 192, 184, 100], [202, 191, 200, 197, 115]]
    assert (images[:, 10::9, 20].int() - torch.tensor(pixels)).abs().max() <= 1
    means = [132.05165100097656, 158.7669219970703, 129.4049530029297, 146.20877075195312]
    assert images.float().mean((1, 2)).tolist() == pytest.approx(means, abs=0.02)


def test_the_grain_turns_with_the_time(scene):
    law = 6.5 * scene.minutes - 58.7
    assert float(_apart(scene.wood_angle, law, 180).max()) < 8  # the law was measured to about 8 degrees


def test_the_reflection_is_seen_where_the_originals_have_it(scene):
    seen = scene.reflection_strength > 0.5
    assert 0.12 < float(seen.float().mean()) < 0.4  # 13 of 34 originals
    azimuth = (scene.azimuth + 180) % 360 - 180  # -75 is 285
    assert -90 < float(azimuth[seen].min()) < -60 and -25 < float(azimuth[seen].max()) < 20
    assert not seen[(scene.azimuth > 30) & (scene.azimuth < 260)].any()


def test_the_reflection_moves_from_the_left_rim_to_the_right():
    azimuth, tilt = torch.tensor([287.0, 310.0, 341.0]), torch.full((3,), 28.0)
    x, y = mirrored_lamp(azimuth, tilt, torch.full((3,), 4.3))
    assert x[0] < -0.5 and abs(float(x[1])) < 0.35 and x[2] > 0.4
    assert bool((y > 0).all())  # the upper half of the dial


@pytest.mark.parametrize(
    ("azimuth", "tilt", "distance", "place"),
    [(306.65, 31.2, 4.10, (-0.256, 0.235)), (332.2, 28.5, 4.60, (0.283, 0.382)), (295.8, 22.5, 4.39, (-0.520, 0.540))],
)
def test_the_lamp_is_mirrored_where_three_originals_show_it(azimuth, tilt, distance, place):
    found = mirrored_lamp(*(torch.tensor([value]) for value in (azimuth, tilt, distance)))
    assert [float(part) for part in found] == pytest.approx(place, abs=0.06)


def test_a_reflection_is_white_where_the_scene_says(scene):
    lit = scene[(scene.reflection_strength > 1) & (scene.reflection_y > 0.1)][:12]
    images = render(lit, 150).float()
    column = ((lit.centre_x + lit.zoom * lit.reflection_x) * 150).long()
    row = ((lit.centre_y - lit.zoom * lit.reflection_y * torch.deg2rad(lit.tilt).cos()) * 150).long()
    assert float(images[torch.arange(len(lit)), row, column].min()) > 240


def test_the_camera_is_where_the_originals_were_taken_from(scene):
    turn = torch.arange(0, 360, 5.0).deg2rad()
    rim = torch.stack([turn.sin(), turn.cos()], -1).expand(len(scene), -1, 2)
    spots = Camera.of(scene, 150).project(rim)
    low, high = spots.amin(1), spots.amax(1)
    middle, half = (low + high) / 2, (high - low) / 2
    assert 70 < float(middle[:, 0].min()) <= float(middle[:, 0].max()) < 77  # 72 to 74 in the originals
    assert 72 < float(middle[:, 1].mean()) < 81  # 76 to 81
    assert 48 < float(half[:, 0].min()) <= float(half[:, 0].max()) < 82  # 52 to 76
    ratio = half[:, 1] / half[:, 0]
    assert 0.74 < float(ratio.min()) < 0.84 and 0.94 < float(ratio.max()) <= 1.0  # .78 to .98


def test_grey_levels_are_those_of_the_originals(scene):
    images = render(scene[::24], 150).float().flatten(1)
    assert 120 < float(images.mean(1).mean()) < 162 and 54 < float(images.std(1).mean()) < 66  # ten originals
    assert 187 < float(images.quantile(0.75, dim=1).mean()) < 213  # the dial
    assert 45 < float(images.quantile(0.1, dim=1).mean()) < 70  # the frame


def test_viewpoints_repeat_and_give_near_copies():
    ten = draw_scenes(torch.full((150,), 70), 1, CourseRanges())
    number = CourseRanges.viewpoint_of(ten.factors)
    assert VIEWPOINTS - 5 < len(number.unique()) <= VIEWPOINTS
    images = torch.nn.functional.avg_pool2d(render(ten, 150).float()[:, None], 2).flatten(1)  # 75 pixels
    alike = torch.corrcoef(images)
    same = number[:, None] == number
    same.fill_diagonal_(False)
    assert 0.85 < float(alike[same].mean()) < 0.99  # .87 to .92 in the originals
    assert float(alike[same].mean()) > float(alike[number[:, None] != number].mean()) + 0.2
