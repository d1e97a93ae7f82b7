"""Scenes like the original images of the course: one clock, lamp and floor, seen from a few repeated viewpoints.

In the original images three things follow from the scene instead of chance, and a net may use them:

- **The planks turn with the time**: the grain lies 6.5 degrees a minute - 58.7 clockwise from the dial's 12, modulo
  180.
- **The lamp is fixed to the dial**: the brighter side of dial, frame and planks is always beside the same numerals, and
  the white reflection is seen only where the glass mirrors the lamp into the camera.
- **Viewpoints repeat**: several images show the clock from nearly the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.clocks.scene import Range, SceneRanges

# Increase it whenever the same seed gives different scenes: it is part of the names of cached files.
COURSE_VERSION = 1
VIEWPOINTS = 30
CAMERA = ("azimuth", "tilt", "roll", "zoom", "focal", "centre_x", "centre_y")
LIT = (  # directions that turn with the lamp, and so with the dial
    "wood_gradient_angle",
    "shadow_angle",
    "frame_gloss_angle",
    "frame_light_angle",
    "gloss_line_angle",
    "glint_angle",
    "speck_angle",
    "dial_gradient_angle",
)
JITTER = 0.02  # how far images lie around their viewpoint, as a share of each camera range
GRAIN_STEP, GRAIN_START = 6.5, -58.7  # degrees from the dial's 12 to the grain: a minute of the dial, and at 12:00
# The lamp's place in dial radii, fitted to the reflections of three original images.
LAMP_ANGLE = 41.0  # degrees clockwise from the dial's 12
LAMP_DISTANCE, LAMP_HEIGHT = 2.25, 2.85
GLASS_EDGE = (0.96, 1.06)  # dial radii between which a reflection fades as it leaves the glass


def viewpoints() -> Tensor:
    """The place of each viewpoint within the camera ranges, 0 to 1: [VIEWPOINTS, len(CAMERA)]."""
    found = torch.rand(VIEWPOINTS, len(CAMERA), generator=torch.Generator().manual_seed(23))
    found[:, 0] = (torch.arange(VIEWPOINTS) + found[:, 0]) / VIEWPOINTS  # all around the dial
    return found


def mirrored_lamp(azimuth: Tensor, tilt: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    """Where the glass mirrors the lamp into the camera: x (right) and y (away) on the dial's plane in dial radii.

    Args:
        azimuth: where the dial's 12 points, in degrees clockwise [N].
        tilt: degrees between the line of sight and the vertical [N].
        distance: of the camera from the dial's centre in dial radii [N].
    """
    angle, tilt = torch.deg2rad(azimuth + LAMP_ANGLE), torch.deg2rad(tilt)
    above = distance * tilt.cos()
    # The line from the camera to the lamp's mirror image below the glass, where it passes the glass.
    share = above / (above + LAMP_HEIGHT)
    x = share * LAMP_DISTANCE * angle.sin()
    return x, share * LAMP_DISTANCE * angle.cos() - (1 - share) * distance * tilt.sin()


@dataclass(frozen=True)
class CourseRanges(SceneRanges):
    """Ranges of one clock on one floor. Angles of light are degrees from the dial's 12 here, not in the image."""

    # Camera: of the viewpoints. The images of one viewpoint lie within `JITTER` around it.
    viewpoint: Range = (0.0, 1.0)  # which of the viewpoints, as a fraction of their number
    tilt: Range = (10.0, 40.0)
    zoom: Range = (0.34, 0.51)
    focal: Range = (1.7, 2.1)
    centre_x: Range = (0.47, 0.505)
    centre_y: Range = (0.465, 0.505)

    # Planks: one floor.
    wood_brightness: Range = (88.0, 98.0)
    wood_contrast: Range = (19.0, 22.0)
    wood_gradient: Range = (20.0, 32.0)
    wood_gradient_angle: Range = (55.0, 85.0)
    wood_scale: Range = (1.0, 1.0)
    wood_angle: Range = (-2.0, 2.0)  # degrees beside the law of the planks
    wood_x: Range = (0.0, 0.0)
    wood_y: Range = (0.0, 0.0)
    wood_texture: Range = (0.2, 0.2)
    shadow_strength: Range = (0.3, 0.4)
    shadow_angle: Range = (235.0, 255.0)

    # Frame.
    frame_width: Range = (0.172, 0.18)
    frame_drop: Range = (0.055, 0.065)
    frame_lean: Range = (0.0, 0.02)
    frame_inner: Range = (42.0, 52.0)
    frame_outer: Range = (52.0, 62.0)
    frame_gloss: Range = (10.0, 16.0)
    frame_gloss_angle: Range = (230.0, 270.0)
    frame_light: Range = (14.0, 26.0)
    frame_light_angle: Range = (55.0, 75.0)  # degrees: the outer slope's brighter side
    glint_angle: Range = (70.0, 150.0)
    speck: Range = (120.0, 190.0)
    speck_angle: Range = (75.0, 115.0)  # degrees: middle of the frame's part with specks
    speck_spread: Range = (0.15, 0.3)  # that part, as a share of the frame

    # Dial.
    dial_brightness: Range = (197.0, 208.0)
    dial_gradient: Range = (13.0, 18.0)
    dial_gradient_angle: Range = (58.0, 76.0)
    ink: Range = (120.0, 130.0)
    dial_texture: Range = (0.78, 0.78)

    # Hands.
    hour_length: Range = (0.61, 0.61)
    minute_length: Range = (0.77, 0.77)
    hour_width: Range = (0.078, 0.078)
    minute_width: Range = (0.07, 0.07)
    hand_taper: Range = (0.1, 0.1)
    tail: Range = (0.07, 0.07)
    hand_height: Range = (0.03, 0.03)
    hand_brightness: Range = (54.0, 62.0)
    minute_difference: Range = (-2.0, 2.0)

    # Reflection: its place follows from lamp and camera, so these two only move it a little.
    reflection_probability: float = 1.0
    reflection_x: Range = (-0.03, 0.03)  # dial radii
    reflection_y: Range = (-0.03, 0.03)
    reflection_size: Range = (0.06, 0.075)
    reflection_strength: Range = (1.0, 1.25)
    haze: Range = (0.35, 0.5)
    haze_size: Range = (0.26, 0.32)

    def arranged(self, factors: Tensor, minutes_N: Tensor) -> Tensor:
        """Factors [N, F] with viewpoint, planks and lamp in place."""
        found, columns = factors.clone(), self.columns()

        def column(name: str) -> Tensor:
            return found[:, columns[name]]

        chosen = viewpoints()[self.viewpoint_of(factors)]
        for place, name in enumerate(CAMERA):
            low, high = getattr(self, name)
            near = column(name) - (low + high) / 2
            found[:, columns[name]] = low + (high - low) * chosen[:, place] + JITTER * near
        azimuth, tilt = column("azimuth"), column("tilt")
        law = GRAIN_STEP * minutes_N + GRAIN_START
        found[:, columns["wood_angle"]] = torch.remainder(column("wood_angle") + law, 180)
        for name in LIT:
            found[:, columns[name]] += azimuth
        self._reflect(found, azimuth, tilt)
        return found

    @staticmethod
    def viewpoint_of(factors: Tensor) -> Tensor:
        """The number of each image's viewpoint [N]."""
        share = factors[:, CourseRanges.columns()["viewpoint"]]
        return (share * VIEWPOINTS).long().clamp_max(VIEWPOINTS - 1)

    def _reflect(self, found: Tensor, azimuth: Tensor, tilt: Tensor) -> None:
        """Place the reflection; off the glass there is none."""
        columns = self.columns()
        distance = found[:, columns["focal"]] / found[:, columns["zoom"]]
        place = mirrored_lamp(azimuth, tilt, distance)
        x, y = (
            part + found[:, columns[name]] for part, name in zip(place, ("reflection_x", "reflection_y"), strict=True)
        )
        near, far = GLASS_EDGE
        seen = ((far - torch.hypot(x, y)) / (far - near)).clamp(0, 1)
        found[:, columns["reflection_strength"]] *= seen
        found[:, columns["haze"]] *= seen
        # The renderer draws it without perspective.
        depth = 1 + y * torch.deg2rad(tilt).sin() / distance
        found[:, columns["reflection_x"]], found[:, columns["reflection_y"]] = x / depth, y / depth
