"""Varied clocks are the same for the same seed on every path, and show what their hidden parameters say."""

import math

import pytest
import torch

from dlcourse.clocks.dial import DialAngles, course_labels_of, labels_of, pyramid, radius, sample, seen_at, unrolled
from dlcourse.clocks.geometry import Camera, compass
from dlcourse.clocks.scene import draw_scenes
from dlcourse.clocks.varied.render import render_varied
from dlcourse.clocks.varied.scene import VariedRanges

NO = {
    f"{name}_probability": 0.0
    for name in (
        *("far", "free_turn", "tilt", "dial_texture", "track", "inner_ring", "word", "date", "subdial", "drift"),
        *("lume", "hand_colour", "ink_apart", "second", "alarm", "shadow", "things", "cover", "glare", "shade"),
        *("dark", "blur", "motion", "jpeg", "counterweight", "cap_like_dial", "tail"),
    )
}
# Black hands on a white dial without anything else, seen from the front.
PLAIN = VariedRanges(
    **NO,
    shape={"square": 0, "rounded": 0, "octagon": 0, "diamond": 0},
    dial={"dark": 0, "coloured": 0, "clear": 0},
    hour_marks={"lines": 0, "dots": 0, "wedges": 0},
    minute_marks={"lines": 0, "dots": 0},
    numerals={"arabic": 0, "quarters": 0, "roman": 0},
    hands={"tapered": 0, "sword": 0, "spade": 0, "arrow": 0, "skeleton": 0},
    zoom=(0.3, 0.45),
    hour_ratio=(0.6, 0.7),
    hand_contrast=(0.9, 1.0),
    hour_error=(0.0, 0.0),
    shine=(0.0, 0.0),
    dial_gradient=(0.0, 0.0),
    noise=(0.0, 0.0),
)


def scenes(count, seed=0, ranges=None):
    return draw_scenes(torch.arange(count) * 67 % 720, seed, ranges or VariedRanges())


def test_the_same_seed_gives_the_same_images_alone_or_among_others():
    images = render_varied(scenes(6), 48)
    assert images.shape == (6, 48, 48, 3) and images.dtype == torch.uint8
    assert torch.equal(render_varied(scenes(9), 48)[:6], images)
    assert not torch.equal(render_varied(scenes(6, seed=1), 48), images)
    one = render_varied(scenes(6), 48, chunk=1)
    assert (one.int() - images.int()).abs().max() <= 1
    assert render_varied(scenes(2), 48, colour=False).shape == (2, 48, 48)


@pytest.mark.parametrize("size", [128, 50])
def test_compiled_code_draws_the_same_images(size):
    scene = scenes(120, 3, VariedRanges(absent_probability=0.05))
    by_torch, compiled = (render_varied(scene, size, compiled=choice).int() for choice in (False, True))
    apart = (by_torch - compiled).abs()
    assert float(apart.float().mean()) < 1e-3
    # Rounding differs by a grey level, and in a few images by more, where it decides the edge of a text or a level of a
    # JPEG block. How often depends on the processor's instructions.
    off = (apart > 1).flatten(1).sum(1)
    assert float((off > 0).float().mean()) < 0.1 and int(off.max()) <= 16 * 16 * 3
    assert float((apart > 1).float().mean()) < 2e-4
    assert torch.equal(compiled[11:30], render_varied(scene[11:30], size, compiled=True).int())


def test_an_image_does_not_depend_on_those_drawn_with_it():
    scene = scenes(64, ranges=VariedRanges(jpeg_probability=0.0))  # rounding can decide a level of JPEG
    alone = torch.cat([render_varied(scene[i : i + 1], 64) for i in range(64)])
    assert (render_varied(scene, 64, chunk=64).int() - alone.int()).abs().max() <= 1


def test_the_hands_are_where_the_labels_say():
    scene = scenes(24, ranges=PLAIN)
    labels = labels_of(scene)
    images = render_varied(scene, 150).permute(0, 3, 1, 2).float() / 255
    pose, twelve = labels[:, 3:], labels[:, 2]
    strip = sample(pyramid(images), seen_at(pose, unrolled(360, 45)), torch.zeros(len(pose))).mean(1)
    radii = torch.linspace(0.06, 1.12, 45)
    ring = strip[:, (radii > 0.52 * scene.minute_length.min()) & (radii < 0.55)].mean(1)
    # Both hands are dark here; each of the two darkest angles is one of them.
    minute = (labels[:, 1] * 6 + twelve) % 360
    hour = ((labels[:, 0] * 60 + labels[:, 1]) / 2 + twelve) % 360
    for angles, expected in ((ring, minute), (strip[:, (radii > 0.25) & (radii < 0.35)].mean(1), hour)):
        near = torch.stack([angles.roll(k, 1) for k in (-1, 0, 1)]).mean(0)
        at = near.gather(1, expected.round().long()[:, None] % 360)[:, 0]
        assert (at < near.median(1)[0] - 0.2).all()


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match="hands="):
        VariedRanges(hands={"hook": 1.0})
    with pytest.raises(ValueError, match="invalid weights"):
        VariedRanges(dial={"light": 0, "dark": 0, "coloured": 0, "clear": 0})
    with pytest.raises(ValueError, match="tilt="):
        VariedRanges(tilt=(3, 1))
    with pytest.raises(ValueError, match="too small"):
        render_varied(scenes(1), 8)


def test_an_image_without_a_clock_has_no_dial():
    ranges = VariedRanges(**NO | {"absent_probability": 1.0}, plain_wall_probability=1.0, wall_shadow=(0.0, 0.0))
    scene = scenes(3, ranges=ranges)
    assert labels_of(scene)[:, -1].tolist() == [0, 0, 0]
    images = render_varied(scene, 40).float()
    assert images.amax((1, 2, 3)).sub(images.amin((1, 2, 3))).max() < 40


def test_angles_become_times_whatever_the_turn():
    encoding, minutes = DialAngles(), torch.arange(0, 720, 31)
    assert torch.equal(encoding.decode(encoding.encode(minutes)), minutes.float())
    turn = torch.linspace(-170, 170, len(minutes))
    output = encoding.targets(minutes, turn).clamp_min(1e-9).log().flatten(1)
    found = encoding.decode(output)
    assert ((found - minutes + 360) % 720 - 360).abs().max() <= 1
    assert ((encoding.turn(output, found) - turn + 180) % 360 - 180).abs().max() < 4


def test_a_dial_that_may_lie_any_way_has_several_times():
    encoding = DialAngles()
    output = encoding.encode(torch.tensor([190]))
    output[:, : encoding.bins] = 0  # twelve may be anywhere
    chances = encoding.probabilities(output)[0]
    assert chances.max() < 0.2 and (chances > chances.max() / 3).sum() > 5
    assert math.isclose(chances.sum().item(), 1, rel_tol=1e-4)


def test_the_radius_is_that_of_an_equal_circle():
    assert radius(torch.tensor([[0.5, 0.5, 0.4, 0.0, 0.1, 0, 0, 1]])).item() == pytest.approx(0.2)


def test_the_course_s_clock_has_the_same_labels():
    """The dial's twelve, three and seven are seen where its camera projects them."""
    scene = draw_scenes(torch.arange(40) * 17, 5)
    labels = course_labels_of(scene)
    assert labels[:, :2].tolist() == [[t // 60, t % 60] for t in scene.minutes.tolist()]
    for turn in (0.0, 90.0, 210.0):
        x, y = compass(scene.azimuth.double() + turn)
        projected = Camera.of(scene, 100).project(torch.stack([x, y], -1)[:, None])[:, 0]
        angle = torch.deg2rad(labels[:, 2] + turn)
        points = torch.stack([angle.sin(), -angle.cos()], -1)
        seen = torch.cat([seen_at(labels[i : i + 1, 3:], points[i : i + 1]) for i in range(40)]).view(40, 2)
        assert (seen - (projected + 0.5) / 100).abs().max() < 1e-5
