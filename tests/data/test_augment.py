"""Augmentation: each sample its own draw, the same for the same generator, never a mirror."""

import pytest
import torch

from dlcourse.data.augment import Augment
from dlcourse.data.batches import seeded

EVERYTHING = {"rotation": 180, "zoom": [0.9, 1.1], "shear": 5, "shift": 0.04}
EVERYTHING |= {"brightness": 20, "noise": 4, "blur": 3.0, "reflection": 90}


def pictures(count=8, colour=False):
    shape = (count, 40, 40, 3) if colour else (count, 40, 40)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(0))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("option", [None, *EVERYTHING])
def test_keeps_shape_and_type_and_changes_each_sample_its_own_way(option, colour):
    augment = Augment(**(EVERYTHING if option is None else {option: EVERYTHING[option]}))
    same = pictures(1, colour).expand(8, *[-1] * (3 if colour else 2)).clone()
    changed = augment(same.clone(), seeded(1))
    assert changed.shape == same.shape and changed.dtype == torch.uint8
    assert len(torch.unique(changed.flatten(1), dim=0)) == 8
    assert torch.equal(changed, augment(same.clone(), seeded(1)))
    assert not torch.equal(changed, augment(same.clone(), seeded(2)))


def test_nothing_switched_on_changes_nothing():
    x = pictures()
    assert torch.equal(Augment()(x, seeded(1)), x)


def test_never_mirrors():
    """Three spots, anticlockwise in the picture, stay anticlockwise."""
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


def test_a_zoom_without_two_bounds_is_refused():
    with pytest.raises(ValueError, match="zoom"):
        Augment(zoom=[1.1])


def test_strokes_on_black_come_from_nowhere():
    strokes = torch.full((20, 16, 16), -1.0)
    strokes[:, :, 0] = 1.0  # at the border, whose mirror image would double it
    moved = Augment(shift=0.2, outside="darkest")(strokes, torch.Generator().manual_seed(0))
    assert moved.amin() == -1 and moved.amax() <= 1
    assert moved.gt(0).any(1).sum(1).max() <= 2  # one stroke, or none, wherever it is now
    mirrored = Augment(shift=0.2)(strokes, torch.Generator().manual_seed(0))
    assert mirrored.gt(0).any(1).sum(1).max() >= 2 and mirrored.gt(0).sum() > moved.gt(0).sum()
    with pytest.raises(ValueError, match=r"data\.augment\.outside=black is unknown: take mirror, darkest"):
        Augment(outside="black")
