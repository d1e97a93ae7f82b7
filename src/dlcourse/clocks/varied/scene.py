"""The ranges of varied clocks: every hidden parameter of `data/scene=any`, by name, with its unit.

Unit of length: the dial's radius; image sides where said. Angles are in degrees, clockwise as seen. Brightness and
colours lie between 0 and 1.

A point v of the dial's plane (x right, y down, upright as seen, the centre of the hands at 0) is seen at
c + S v / (1 + q v), in image sides. S is symmetric, so that it does not turn the dial; `twelve` says how far it is
turned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from dlcourse.clocks.scene import Range, Ranges, Scene

Kinds = Mapping[str, float]


@dataclass(frozen=True)
class VariedRanges(Ranges):
    """Every random factor of an image of any clock, see `Ranges`."""

    # Where the dial is, and how it is seen.
    absent_probability: float = 0.0  # an image without a clock: for the training of the finder
    absent: Range = (1.0, 1.0)
    zoom: Range = (0.22, 0.52)  # dial's radius / image's side
    far_probability: float = 0.2
    far: Range = (0.3, 3.0)  # the dial's radius is divided by 1 + this
    offset_x: Range = (-1.0, 1.0)  # of the dial's centre; at 1 the rim is beyond the image's edge by a seventh
    offset_y: Range = (-1.0, 1.0)
    lean: Range = (-6.0, 6.0)  # degrees: a clock that does not hang quite straight
    free_turn_probability: float = 0.15
    free_turn: Range = (-180.0, 180.0)  # degrees: a camera or a clock held any way
    tilt_probability: float = 0.65
    tilt: Range = (0.0, 52.0)  # degrees between the line of sight and the dial's axis
    tilt_direction: Range = (0.0, 360.0)
    focal: Range = (1.0, 4.0)  # focal length / image's side: small ones give a strong perspective

    # Dial.
    shape: Kinds = field(
        default_factory=lambda: {"round": 0.76, "square": 0.08, "rounded": 0.08, "octagon": 0.05, "diamond": 0.03}
    )
    dial: Kinds = field(default_factory=lambda: {"light": 0.55, "dark": 0.2, "coloured": 0.2, "clear": 0.05})
    dial_value: Range = (0.72, 1.0)  # brightness of a light dial; a dark one has 1 - this
    dial_saturation: Range = (0.0, 0.12)  # of light and dark dials
    dial_colour_saturation: Range = (0.25, 1.0)  # of coloured dials
    dial_colour_value: Range = (0.3, 1.0)
    dial_hue: Range = (0.0, 1.0)
    dial_texture_probability: float = 0.2
    dial_texture: Range = (0.04, 0.3)  # share of a second colour in the dial's pattern
    dial_gradient: Range = (-0.25, 0.25)  # brightness from the upper to the lower rim
    dial_vignette: Range = (-0.1, 0.25)  # share of brightness lost at the rim

    # Marks.
    hour_marks: Kinds = field(default_factory=lambda: {"none": 0.17, "lines": 0.5, "dots": 0.15, "wedges": 0.18})
    minute_marks: Kinds = field(default_factory=lambda: {"none": 0.35, "lines": 0.5, "dots": 0.15})
    mark_end: Range = (0.84, 0.98)  # outer end of the marks
    hour_mark_length: Range = (0.04, 0.2)
    hour_mark_width: Range = (0.012, 0.06)
    minute_mark_length: Range = (0.015, 0.09)
    minute_mark_width: Range = (0.006, 0.02)
    quarter_gain: Range = (1.0, 2.0)  # the marks at 12, 3, 6 and 9 are wider by this factor
    track_probability: float = 0.2
    track: Range = (0.006, 0.02)  # width of a circle along the marks
    mark_grey: Range = (0.0, 0.35)  # share of the dial's colour in the marks

    # Numerals and writing.
    numerals: Kinds = field(default_factory=lambda: {"arabic": 0.56, "quarters": 0.09, "roman": 0.14, "none": 0.21})
    numeral_turn: Kinds = field(default_factory=lambda: {"upright": 0.72, "radial": 0.18, "tangential": 0.1})
    font: Range = (0.0, 1.0)  # which font, as a share of their number
    numeral_height: Range = (0.13, 0.3)
    numeral_stretch: Range = (0.8, 1.15)
    numeral_place: Range = (0.0, 1.0)  # from as near to the centre as sensible to the marks
    inner_ring_probability: float = 0.12
    inner_ring: Range = (0.42, 0.5)  # radius of small numerals 13 to 24, or 5 to 60
    inner_ring_set: Range = (0.0, 1.0)  # above one half: 5 to 60
    word_probability: float = 0.5
    word: Range = (0.1, 0.24)  # height of a tile with a word, above or below the centre
    word_place: Range = (0.25, 0.5)
    word_side: Range = (-1.0, 1.5)  # negative: below
    word_which: Range = (0.0, 1.0)
    date_probability: float = 0.1
    date: Range = (0.07, 0.11)  # half the height of a date's window
    date_place: Range = (0.45, 0.7)
    subdial_probability: float = 0.08
    subdial: Range = (0.14, 0.24)  # radius of a small dial
    subdial_angle: Range = (0.0, 360.0)

    # Hands.
    drift_probability: float = 0.6
    drift: Range = (-0.3, 0.45)  # minutes: how far the minute hand is from its whole minute
    hour_error: Range = (-2.5, 2.5)  # degrees: an hour hand that was not put on quite right
    hands: Kinds = field(
        default_factory=lambda: {
            "straight": 0.36,
            "tapered": 0.2,
            "sword": 0.12,
            "spade": 0.1,
            "arrow": 0.1,
            "skeleton": 0.12,
        }
    )
    minute_length: Range = (0.62, 0.96)
    hour_ratio: Range = (0.5, 0.86)  # the hour hand's length / the minute hand's
    hour_width: Range = (0.025, 0.12)
    minute_width_ratio: Range = (0.5, 1.0)  # the minute hand's width / the hour hand's
    tip: Range = (0.0, 1.0)  # 0: flat, 1: pointed
    tail_probability: float = 0.7
    tail: Range = (0.04, 0.28)
    counterweight_probability: float = 0.12
    counterweight: Range = (0.04, 0.09)  # radius of a disc on the tails
    lume_probability: float = 0.25
    lume: Range = (0.3, 0.7)  # share of a hand's width with another brightness
    hand_contrast: Range = (0.35, 1.0)  # brightness between hands and dial
    hand_colour_probability: float = 0.2
    hand_colour: Range = (0.3, 1.0)  # saturation of coloured hands and numerals
    hand_hue: Range = (0.0, 1.0)
    ink_contrast: Range = (0.35, 1.0)  # brightness between numerals and dial
    ink_apart_probability: float = 0.3  # numerals of their own contrast; otherwise like the hands
    ink_apart: Range = (1.0, 1.0)
    shine: Range = (-0.15, 0.35)  # brightness of a metal hand's lit half
    second_probability: float = 0.55
    second: Range = (0.55, 0.98)
    second_width: Range = (0.006, 0.022)
    second_angle: Range = (0.0, 360.0)
    second_tail: Range = (0.0, 0.35)
    second_red: Range = (0.0, 1.0)  # below .6 red, below .8 like the hands, else of any colour
    alarm_probability: float = 0.07
    alarm: Range = (0.3, 0.55)
    alarm_angle: Range = (0.0, 360.0)
    cap: Range = (0.015, 0.09)  # radius of the cap
    cap_like_dial_probability: float = 0.2
    cap_like_dial: Range = (1.0, 1.0)
    shadow_probability: float = 0.5
    shadow: Range = (0.1, 0.6)  # darkness of the hands' shadows
    shadow_x: Range = (-0.06, 0.06)
    shadow_y: Range = (0.0, 0.09)

    # Frame.
    frame_probability: float = 0.92
    frame: Range = (0.02, 0.24)  # width
    frame_value: Range = (0.0, 1.0)
    frame_saturation: Range = (-0.5, 0.9)  # below 0: grey
    frame_hue: Range = (0.0, 1.0)
    frame_bevel: Range = (-0.35, 0.35)  # brightness towards the light
    frame_light: Range = (0.0, 360.0)  # where the light comes from
    frame_round: Range = (0.0, 0.5)  # brightness lost towards the frame's edges
    rim_probability: float = 0.35
    rim: Range = (0.15, 0.5)  # share of a second ring in the frame
    rim_value: Range = (0.0, 1.0)
    wall_shadow: Range = (0.0, 0.6)  # darkness of the clock's shadow on the wall
    wall_shadow_size: Range = (0.03, 0.3)

    # Wall and other things.
    wall_value: Range = (0.0, 1.0)
    wall_saturation: Range = (-0.6, 0.8)  # below 0: grey
    wall_hue: Range = (0.0, 1.0)
    plain_wall_probability: float = 0.25  # white or black, as in a catalogue
    plain_wall: Range = (0.5, 1.6)  # above 1: black, else white
    pattern: Range = (-0.2, 0.5)  # share of the wall's second colour; below 0: a plain wall
    pattern_which: Range = (0.0, 1.0)
    pattern_scale: Range = (0.6, 3.0)  # size of a pattern / image's side
    pattern_angle: Range = (0.0, 360.0)
    wall_gradient: Range = (0.0, 0.35)  # brightness across the image
    wall_gradient_angle: Range = (0.0, 360.0)
    things_probability: float = 0.4
    things: Range = (0.5, 1.0)  # coverage of rectangles, discs and rings behind the clock
    cover_probability: float = 0.1
    cover: Range = (0.04, 0.2)  # width of a bar in front of the dial
    cover_place: Range = (0.3, 1.2)
    cover_angle: Range = (0.0, 360.0)

    # Light and camera.
    glare_probability: float = 0.25
    glare: Range = (0.1, 0.75)  # brightness of a lamp or a window in the glass
    glare_size: Range = (0.06, 0.5)
    glare_x: Range = (-0.8, 0.8)
    glare_y: Range = (-0.8, 0.8)
    shade_probability: float = 0.2
    shade: Range = (0.15, 0.6)  # darkness of a hard shadow over a part of the image
    shade_place: Range = (-0.4, 0.4)
    shade_angle: Range = (0.0, 360.0)
    exposure: Range = (0.75, 1.15)
    dark_probability: float = 0.15
    dark: Range = (0.2, 0.7)  # light lost in a dark room
    haze: Range = (0.0, 0.2)  # share of grey that lowers the contrast
    blur_probability: float = 0.5
    blur: Range = (0.2, 1.2)  # pixels of 128: standard deviation across
    motion_probability: float = 0.1
    motion: Range = (0.3, 1.5)  # pixels of 128: more along one direction
    motion_angle: Range = (0.0, 180.0)
    noise: Range = (0.0, 0.06)  # three standard deviations; four times as much in a dark room
    jpeg_probability: float = 0.3
    jpeg: Range = (0.5, 4.0)  # the standard's quantization tables times this

    GATED: ClassVar[Mapping[str, str]] = {
        name: f"{name}_probability"
        for name in (
            *("absent", "far", "free_turn", "tilt", "dial_texture", "track", "inner_ring", "word", "date", "subdial"),
            *("drift", "tail", "counterweight", "lume", "hand_colour", "ink_apart", "second", "alarm", "cap_like_dial"),
            *("shadow", "frame", "rim", "plain_wall", "things", "cover", "glare", "shade", "dark", "blur", "motion"),
            "jpeg",
        )
    }


KINDS = {
    (name, kind): number
    for name, value in vars(VariedRanges()).items()
    if isinstance(value, dict)
    for number, kind in enumerate(value)
}  # the numbers that stand for kinds in a scene's factors


def kind(scene: Scene, name: str, kind: str) -> Tensor:
    """Which images of a scene have a kind, bool [N]: `kind(scene, "hands", "sword")`."""
    return getattr(scene, name) == KINDS[name, kind]


class Pose(NamedTuple):
    """Where N dials are seen, float32, lengths in image sides: a point v is at centre + shape v / (1 + bend v)."""

    centre: Tensor  # [N, 2]
    shape: Tensor  # [N, 2, 2], symmetric
    bend: Tensor  # [N, 2]


def pose(scene: Scene) -> Pose:
    """Where the dials of a scene are seen."""
    zoom = scene.zoom / (1 + scene.far)
    reach = (0.5 - 0.86 * zoom).clamp_min(0.02)
    centre = 0.5 + torch.stack([scene.offset_x, scene.offset_y], -1) * reach[:, None]
    tilt, away = torch.deg2rad(scene.tilt), torch.deg2rad(scene.tilt_direction)
    along = torch.stack([away.sin(), -away.cos()], -1)
    squeeze = (1 - tilt.cos())[:, None, None] * along[:, :, None] * along[:, None, :]
    shape = zoom[:, None, None] * (torch.eye(2, device=zoom.device) - squeeze)
    return Pose(centre, shape, (zoom / scene.focal * tilt.sin())[:, None] * along)


def twelve(scene: Scene) -> Tensor:
    """Where the dial's twelve points, degrees clockwise of up [N]."""
    return scene.lean + scene.free_turn
