"""The clock renderer: pictures follow their scene, whatever the chunk, and look as clocks do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from dlcourse.clocks.course import CourseRanges
from dlcourse.clocks.geometry import Camera, compass
from dlcourse.clocks.render import render
from dlcourse.clocks.scene import Scene, SceneRanges, draw_scenes
from dlcourse.clocks.textures import DIAL_VARIANTS, clock_atlas

SIZE = 150
# No disturbances: what is drawn can be found again.
CLEAN: dict[str, Any] = {
    "reflection_probability": 0.0,
    "glint_probability": 0.0,
    "edge_probability": 0.0,
    "speck": [0.0, 0.0],
    "veil": [0.0, 0.0],
    "noise": [0.0, 0.0],
    "blur": [0.0, 0.0],
}


def _times(count: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 720, (count,), generator=torch.Generator().manual_seed(seed))


def _at(pictures: Tensor, scene: Scene, degrees: Tensor, radii: Tensor, height: Tensor | float = 0.0) -> Tensor:
    """Grey levels [N, K] at dial angles and radii [N, K]; NaN outside the picture."""
    x, y = compass(scene.azimuth[:, None] + degrees)
    spots = Camera.of(scene, pictures.shape[-1]).project(torch.stack([x * radii, y * radii], -1), height)
    spots = spots.round().long()
    last = pictures.shape[-1] - 1
    seen = ((spots >= 0) & (spots <= last)).all(-1)
    column, row = spots.clamp(0, last).unbind(-1)
    grey = pictures[torch.arange(len(pictures))[:, None], row, column].float()
    return torch.where(seen, grey, torch.nan)


@pytest.fixture(scope="module")
def clean() -> tuple[Tensor, Scene]:
    scene = draw_scenes(_times(64), 5, SceneRanges(**CLEAN))
    return render(scene, SIZE), scene


def test_a_seed_fixes_the_pictures_and_another_changes_them() -> None:
    minutes = _times(6)
    first = render(draw_scenes(minutes, 1), 64)
    assert torch.equal(first, render(draw_scenes(minutes, 1), 64))
    assert not torch.equal(first, render(draw_scenes(minutes, 2), 64))


def test_pictures_do_not_depend_on_chunks_blocks_or_threads() -> None:
    scene = draw_scenes(_times(70), 3)
    whole = render(scene, 64)
    assert torch.equal(whole, render(scene, 64, chunk=1))
    assert torch.equal(whole, render(scene, 64, chunk=7))
    assert torch.equal(whole[11:30], render(scene[11:30], 64))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert torch.equal(whole, render(scene, 64))
        torch.set_num_threads(3)
        assert torch.equal(whole, render(scene, 64))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_a_longer_draw_begins_with_the_shorter_one() -> None:
    minutes = _times(100)
    long, short = draw_scenes(minutes, 9), draw_scenes(minutes[:7], 9)
    assert torch.equal(long[:7].factors, short.factors)
    assert torch.equal(long[:7].luck, short.luck)


@pytest.mark.parametrize("size", [64, 75, 150, 224])
def test_pictures_are_square_bytes_of_any_size(size: int) -> None:
    pictures = render(draw_scenes(_times(2), 1), size)
    assert pictures.dtype == torch.uint8
    assert pictures.shape == (2, size, size)
    assert float(pictures.float().std()) > 20


def test_no_times_give_no_pictures() -> None:
    assert render(draw_scenes(torch.zeros(0, dtype=torch.int64), 1), 64).shape == (0, 64, 64)


def test_sizes_show_the_same_scene() -> None:
    scene = draw_scenes(_times(8), 4, SceneRanges(**CLEAN))
    large = render(scene, 150).float()
    halved = torch.nn.functional.avg_pool2d(large[:, None], 2)[:, 0]
    small = render(scene, 75).float()
    other = small.roll(1, 0)
    assert float((small - halved).abs().mean()) < 0.25 * float((other - halved).abs().mean())


def test_hands_move_continuously() -> None:
    scene = draw_scenes(torch.arange(720), 0)
    hour, minute = scene.hour_angle, scene.minute_angle
    assert torch.equal(hour.diff(), torch.full((719,), 0.5))
    assert torch.equal(minute.diff() % 360, torch.full((719,), 6.0))
    assert float(hour[70]) == 35.0
    assert float(minute[70]) == 60.0


def test_hands_lie_where_the_scene_says(clean: tuple[Tensor, Scene]) -> None:
    pictures, scene = clean
    steps = torch.tensor([0.25, 0.35, 0.45, 0.5])
    height = scene.hand_height.double()
    for angle in (scene.hour_angle, scene.minute_angle):
        along = _at(pictures, scene, angle[:, None].expand(-1, 4), steps.expand(64, 4), height)
        assert float(along.nanmean(1).max()) < 95
    # Beyond the hour hand's end and short of the numerals the dial is blank, unless the other hand is near.
    apart = ((scene.hour_angle - scene.minute_angle + 180) % 360 - 180).abs()
    free = (apart > 25) & (apart < 155)
    beside = _at(pictures, scene, (scene.hour_angle + 12)[:, None].expand(-1, 4), steps.expand(64, 4), height)
    assert int(free.sum()) > 20
    assert float(beside[free].nanmean(1).min()) > 150


def test_minute_hand_is_the_longer_one(clean: tuple[Tensor, Scene]) -> None:
    pictures, scene = clean
    apart = ((scene.hour_angle - scene.minute_angle + 180) % 360 - 180).abs()
    longer = scene.minute_length - scene.hour_length > 0.12
    free = (apart > 25) & longer
    # Between both ends; the numerals' ink can be there too, so compare the two directions over many pictures.
    between = ((scene.hour_length + scene.minute_length) / 2)[:, None]
    height = scene.hand_height.double()
    minute = _at(pictures, scene, scene.minute_angle[:, None], between, height)[free]
    hour = _at(pictures, scene, scene.hour_angle[:, None], between, height)[free]
    assert int(free.sum()) > 10
    assert float(minute.nanmean()) < 90
    assert float(hour.nanmean()) > 130


def test_grey_levels_are_those_of_the_originals(clean: tuple[Tensor, Scene]) -> None:
    pictures, scene = clean
    angles = torch.arange(0, 360, 15.0).expand(64, 24)
    dial = _at(pictures, scene, angles, torch.full((64, 24), 0.3)).nanmedian(1).values
    frame = _at(pictures, scene, angles, 1 + 0.5 * scene.frame_width[:, None].expand(64, 24)).nanmean()
    wood = _at(pictures, scene, angles, torch.full((64, 24), 1.5))
    assert 180 < float(dial.min()) <= float(dial.max()) < 225
    assert 187 < float(dial.mean()) < 213
    assert 40 < float(frame) < 75
    assert 75 < float(wood.nanmean()) < 115
    assert float(wood[~wood.isnan()].std()) > 12


def test_reflections_and_haze_pale_the_hands() -> None:
    lamp = {**CLEAN, "reflection_probability": 1.0, "haze": [0.5, 0.5], "reflection_strength": [1.3, 1.3]}
    lamp |= {"reflection_x": [-0.3, 0.3], "reflection_y": [0.1, 0.5]}
    minutes = _times(16)
    scene = draw_scenes(minutes, 8, SceneRanges(**CLEAN))
    plain = render(scene, SIZE)
    lit = render(draw_scenes(minutes, 8, SceneRanges(**lamp)), SIZE)
    assert bool((lit.flatten(1).amax(1) == 255).all())
    centre = torch.full((16, 1), 0.02)
    paler = _at(lit, scene, centre, centre) - _at(plain, scene, centre, centre)
    assert float(paler.min()) > 5


def test_the_dial_is_never_mirrored() -> None:
    # Read through the camera, clockwise from the 12, the ink is the drawn dial's; read the other way, it is not.
    ranges = SceneRanges(**CLEAN, zoom=[0.36, 0.4], tilt=[10, 20], dial_texture=[0, 0])
    scene = draw_scenes(_times(24), 6, ranges)
    pictures = render(scene, SIZE)
    atlas = clock_atlas(SIZE, torch.device("cpu"))
    height, width = atlas.texture.shape[-2:]
    radii, angles = torch.meshgrid(torch.arange(0.62, 0.8, 0.02), torch.arange(0.0, 360.0, 3.0), indexing="ij")
    radii, angles = radii.flatten().expand(24, -1), angles.flatten().expand(24, -1)
    seen = _at(pictures, scene, angles, radii)
    mirrored = _at(pictures, scene, -angles, radii)
    tile = DIAL_VARIANTS  # the first style as drawn for the second zoom, which these ranges ask for
    x = atlas.dial_x[tile] + torch.deg2rad(angles[0]).sin() * radii[0] * atlas.dial_unit[tile, 0]
    y = atlas.dial_y[tile] - torch.deg2rad(angles[0]).cos() * radii[0] * atlas.dial_unit[tile, 1]
    column, row = ((x + 1) * width / 2 - 0.5).round().long(), ((y + 1) * height / 2 - 0.5).round().long()
    ink = atlas.texture[0, 0, row, column]

    def likeness(grey: Tensor) -> Tensor:
        paper = 255 - grey.nan_to_num(255.0)
        return torch.stack([torch.corrcoef(torch.stack([levels, ink]))[0, 1] for levels in paper])

    assert bool((likeness(seen) > likeness(mirrored) + 0.05).all())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"tilt": [40, 10]}, "low <= high"),
        ({"tilt": [10]}, "two finite numbers"),
        ({"tilt": 10}, "two finite numbers"),
        ({"tilt": ["a", "b"]}, "two finite numbers"),
        ({"tilt": [0, float("nan")]}, "two finite numbers"),
        ({"tilted": [10, 40]}, "unknown scene range: tilted"),
        ({"reflection_probability": 1.5}, "is not a probability: use 0 to 1"),
    ],
)
def test_bad_ranges_are_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SceneRanges(**overrides)


def test_lists_become_ranges_and_bound_the_draw() -> None:
    ranges = SceneRanges(tilt=[20, 30])
    assert ranges.tilt == (20.0, 30.0)
    tilt = draw_scenes(_times(200), 1, ranges).tilt
    assert 20 <= float(tilt.min()) < 22
    assert 28 < float(tilt.max()) <= 30


@pytest.mark.parametrize("minutes", [torch.tensor([720]), torch.tensor([-1]), torch.tensor([1.0]), torch.tensor([[1]])])
def test_bad_times_are_refused(minutes: Tensor) -> None:
    with pytest.raises(ValueError, match="minutes_N"):
        draw_scenes(minutes, 1)


def test_bad_sizes_are_refused() -> None:
    scene = draw_scenes(_times(1), 1)
    with pytest.raises(ValueError, match="size"):
        render(scene, 8)
    with pytest.raises(ValueError, match="chunk"):
        render(scene, 64, chunk=0)


def test_the_numerals_run_clockwise_on_the_drawn_dial() -> None:
    # The two-digit numerals carry more ink than the 1 and the 2, so ink by hour tells the order and its sense.
    atlas = clock_atlas(SIZE, torch.device("cpu"))
    height, width = atlas.texture.shape[-2:]
    tile = DIAL_VARIANTS
    unit_x, unit_y = (atlas.dial_unit[tile] * torch.tensor([width / 2, height / 2])).tolist()
    middle_x, middle_y = float((atlas.dial_x[tile] + 1) * width / 2), float((atlas.dial_y[tile] + 1) * height / 2)
    ink = []
    for hour in range(1, 13):
        angle = torch.tensor(hour * 30.0).deg2rad()
        x, y = middle_x + float(angle.sin()) * 0.7 * unit_x, middle_y - float(angle.cos()) * 0.7 * unit_y
        reach = 0.15 * unit_x
        box = atlas.texture[0, 0, round(y - reach) : round(y + reach), round(x - reach) : round(x + reach)]
        ink.append(float(box.sum()))
    assert min(range(12), key=ink.__getitem__) == 0  # the 1, a bare stem
    assert max(range(12), key=ink.__getitem__) in (9, 11)  # 10 or 12
    assert ink[9] > 1.3 * ink[1]  # 10 against the 2, its mirror image
    assert ink[10] > 1.3 * ink[0]  # 11 against the 1


def test_a_tapered_hand_is_narrower_at_its_tip() -> None:
    look: dict[str, Any] = {**CLEAN, "azimuth": [0.0, 0.0], "tilt": [0.0, 0.0], "roll": [0.0, 0.0], "zoom": [0.5, 0.5]}
    look |= {"minute_length": [0.8, 0.8], "minute_width": [0.08, 0.08], "tail": [0.1, 0.1], "hand_height": [0.0, 0.0]}

    def dark(taper: float, row: int) -> int:
        ranges = SceneRanges(**look | {"hand_taper": [taper, taper]})
        picture = render(draw_scenes(torch.tensor([360]), 0, ranges), 300)[0].float()  # 6:00: a hand points up
        middle = int(draw_scenes(torch.tensor([360]), 0, ranges).centre_y[0] * 300)
        return int((picture[middle - row, 110:190] < 110).sum())

    near, far = (dark(0.6, row) for row in (20, 85))
    assert near > dark(0.0, 20) >= dark(0.0, 85) > far


@pytest.mark.parametrize(("ranges", "size"), [(SceneRanges, 150), (SceneRanges, 37), (CourseRanges, 75)])
def test_compiled_code_draws_the_same_pictures(ranges: type[SceneRanges], size: int) -> None:
    scene = draw_scenes(_times(90), 7, ranges())
    by_torch, compiled = (render(scene, size, compiled=choice).int() for choice in (False, True))
    apart = (by_torch - compiled).abs()
    assert int(apart.max()) <= 1  # a grey level, where the sums are rounded in another order
    assert float(apart.float().mean()) < 2e-3
    assert torch.equal(compiled[11:30], render(scene[11:30], size, compiled=True).int())
