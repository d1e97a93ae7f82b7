"""Augmentation: each sample its own draw, the same for the same generator, no mirror unless asked for."""

import pytest
import torch
import torch.nn.functional as F

from dlcourse.data.augment import Augment, _affine_grid
from dlcourse.data.batches import seeded
from dlcourse.errors import UserError

EVERYTHING = {"rotation": 180, "zoom": [0.9, 1.1], "shear": 5, "shift": 0.04}
EVERYTHING |= {"brightness": 20, "noise": 4, "blur": 3.0, "reflection": 90, "crop": 12, "cutout": 8, "erasing": 1.0}


def images(count=8, colour=False):
    shape = (count, 40, 40, 3) if colour else (count, 40, 40)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(0))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("option", [None, *EVERYTHING])
def test_keeps_shape_and_type_and_changes_each_sample_its_own_way(option, colour):
    augment = Augment(**(EVERYTHING if option is None else {option: EVERYTHING[option]}))
    same = images(1, colour).expand(8, *[-1] * (3 if colour else 2)).clone()
    changed = augment(same.clone(), seeded(1))
    assert changed.shape == same.shape and changed.dtype == torch.uint8
    assert len(torch.unique(changed.flatten(1), dim=0)) == 8
    assert torch.equal(changed, augment(same.clone(), seeded(1)))
    assert not torch.equal(changed, augment(same.clone(), seeded(2)))


@pytest.mark.parametrize("option", EVERYTHING)
def test_the_given_images_stay_as_they_are(option):
    given = images().float()
    before = given.clone()
    Augment(**{option: EVERYTHING[option]})(given, seeded(1))
    assert torch.equal(given, before)


def test_nothing_switched_on_changes_nothing():
    x = images()
    assert torch.equal(Augment()(x, seeded(1)), x)


def test_an_image_that_is_not_square_is_rotated_without_skew():
    x = torch.zeros(1, 1, 24, 60)
    x[:, :, 9:15, 24:36] = 1  # a bar of 6 by 12 pixels in the middle
    turned = Augment(rotation=90, outside="darkest")._warp(x, lambda *shape: torch.ones(1, *shape))
    expected = torch.zeros_like(x)
    expected[:, :, 6:18, 27:33] = 1
    torch.testing.assert_close(turned, expected, atol=1e-4, rtol=0)


def test_images_one_pixel_high_can_be_noisy():
    x = torch.zeros(2, 1, 64, dtype=torch.uint8)
    assert Augment(noise=10)(x, seeded(1)).float().std() > 1


def test_never_mirrors():
    """Three spots, anticlockwise in the image, stay anticlockwise."""
    x = torch.zeros(200, 64, 64, dtype=torch.uint8)
    for (row, column), level in {(32, 44): 255, (20, 32): 170, (32, 20): 85}.items():
        x[:, row - 2 : row + 3, column - 2 : column + 3] = level
    warped = Augment(rotation=180, zoom=[0.9, 1.1], shear=5, shift=0.04)(x, seeded(3)).float()
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    spots = []
    for level in (255, 170, 85):
        weight = (warped - level).abs() < 25
        total = weight.sum((1, 2)).clamp_min(1)
        spots.append(torch.stack([(weight * columns).sum((1, 2)) / total, (weight * rows).sum((1, 2)) / total], 1))
    first, second = spots[1] - spots[0], spots[2] - spots[0]
    turn = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    assert (turn < 0).float().mean() > 0.97  # the rest lost a spot over the edge


def test_a_crop_is_the_picture_padded_by_its_mirror_image_and_cut():
    x = images(200, colour=True)
    padded = F.pad(x.permute(0, 3, 1, 2).float(), (3, 3, 3, 3), mode="reflect").to(torch.uint8).permute(0, 2, 3, 1)
    cut = Augment(crop=3)(x, seeded(1))
    offsets = set()
    for i in range(200):
        places = [(r, c) for r in range(7) for c in range(7) if torch.equal(padded[i, r : r + 40, c : c + 40], cut[i])]
        assert len(places) == 1
        offsets |= set(places)
    assert len(offsets) > 45  # of 49


@pytest.mark.parametrize(("options", "axis"), [({"flip": "random"}, 2), ({"vertical_flip": True}, 1)])
def test_a_flip_turns_about_half_of_the_pictures(options, axis):
    x = images(300)
    flipped = Augment(**options)(x, seeded(1))
    turned = torch.tensor([torch.equal(a, b.flip(axis - 1)) for a, b in zip(flipped, x, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(flipped, x, strict=True)])
    assert (turned ^ kept).all() and 110 < turned.sum() < 190


def test_alternating_flips_show_both_ways_in_two_epochs_whatever_the_batches_are():
    x, augment = images(300), Augment(flip="alternating")
    index = torch.arange(300)
    first, second = (augment(x, seeded(epoch), index, epoch) for epoch in (0, 1))
    turned = (first == x.flip(2)).all((1, 2))
    assert torch.equal(first.flip(2), second)
    assert 110 < turned.sum() < 190
    shuffled = torch.randperm(300, generator=seeded(5))
    assert torch.equal(augment(x[shuffled], seeded(9), index[shuffled], 0), first[shuffled])


def test_erasing_and_cutout_change_a_rectangle_only():
    x = torch.full((300, 40, 40), 100, dtype=torch.uint8)
    x[:, 0, 0], x[:, 0, 1] = 0, 255  # the noise spans what the images do
    changed = Augment(erasing=0.5)(x, seeded(1)) != x
    share = changed.flatten(1).float().mean(1)
    assert 0.4 < (share > 0).float().mean() < 0.6 and share.max() < 0.34
    rows, columns = changed.any(2), changed.any(1)
    filled = changed.sum((1, 2)) / (rows.sum(1) * columns.sum(1)).clamp_min(1)
    assert filled[share > 0.02].min() > 0.9  # noise may happen to be the level that was there
    cut = Augment(cutout=8)(torch.where(torch.arange(40) < 20, 0, 200).to(torch.uint8).expand(50, 40, 40), seeded(2))
    assert (cut == 100).sum((1, 2)).max() == 64


def test_floats_in_any_units_stay_floats():
    x = torch.rand(20, 16, 16, generator=seeded(0)) * 2 - 1
    moved = Augment(rotation=10, zoom=[0.9, 1.1], crop=1)(x, seeded(1))
    assert moved.dtype == torch.float32 and not torch.equal(moved, x) and moved.abs().max() <= 1.0001
    with pytest.raises(UserError, match="features cannot be augmented"):
        Augment(rotation=10)(torch.rand(3, 256), seeded(1))


@pytest.mark.parametrize(
    ("options", "word"),
    [({"zoom": [1.1]}, "zoom"), ({"flip": "left"}, "none, random, alternating"), ({"erasing": 2}, "probability"),
     ({"crop": -1}, "pixels")],
)  # fmt: skip
def test_wrong_options_are_refused(options, word):
    with pytest.raises(ValueError, match=word):
        Augment(**options)


@pytest.mark.parametrize(("options", "most"), [({"crop": 16}, "at most 15"), ({"blur": 8}, "at most 7.25")])
def test_options_that_exceed_the_images_are_refused(options, most):
    images = torch.zeros(2, 16, 16, dtype=torch.uint8)
    with pytest.raises(UserError, match=f"is too large for 16 pixels: use {most}"):
        Augment(**options)(images, seeded(0))
    largest = {name: float(most.split()[-1]) if name == "blur" else 15 for name in options}
    assert Augment(**largest)(images, seeded(0)).shape == images.shape


def test_strokes_on_black_come_from_nowhere():
    strokes = torch.full((20, 16, 16), -1.0)
    strokes[:, :, 0] = 1.0  # at the border, whose mirror image would double it
    moved = Augment(shift=0.2, outside="darkest")(strokes, torch.Generator().manual_seed(0))
    assert moved.amin() == -1 and moved.amax() <= 1
    assert moved.gt(0).any(1).sum(1).max() <= 2  # one stroke, or none, wherever it is now
    mirrored = Augment(shift=0.2)(strokes, torch.Generator().manual_seed(0))
    assert mirrored.gt(0).any(1).sum(1).max() >= 2 and mirrored.gt(0).sum() > moved.gt(0).sum()
    with pytest.raises(ValueError, match=r"data\.augment\.outside=black is unknown: use mirror, nearest, darkest"):
        Augment(outside="black")


def test_the_nearest_pixel_of_the_border_goes_on():
    x = torch.arange(16, dtype=torch.uint8).expand(30, 16, 16) * 10
    moved = Augment(shift=0.3, outside="nearest")(x, seeded(0)).int()
    assert (moved.diff(dim=2) >= 0).all() and moved.amax() == 150  # a ramp never turns back, as its mirror image would
    assert (moved == moved[:, :1]).all()


def test_axes_can_be_enlarged_apart():
    """A square becomes a rectangle."""
    x = torch.zeros(40, 41, 41, dtype=torch.uint8)
    x[:, 10:31, 10:31] = 255

    def sides(**options):
        inside = Augment(zoom=[0.6, 1.4], outside="darkest", **options)(x, seeded(0)) > 127
        return inside.any(2).sum(1), inside.any(1).sum(1)

    height, width = sides()
    assert torch.equal(height, width) and len(height.unique()) > 5
    height, width = sides(zoom_axes="apart")
    assert ((height - width).abs() > 3).float().mean() > 0.4
    with pytest.raises(ValueError, match="zoom_axes=both is unknown: use together, apart"):
        Augment(zoom_axes="both")


def test_the_grid_is_torchs_own():
    matrix = torch.randn(7, 2, 3, generator=seeded(0))
    across, down = ([row[:, i : i + 1] for i in range(3)] for row in matrix.unbind(1))
    expected = F.affine_grid(matrix, [7, 1, 20, 31], align_corners=False)
    assert torch.allclose(_affine_grid(across, down, (20, 31)), expected, atol=1e-5)
