"""The camera: the point of a horizontal plane that each pixel shows, and the pixel that shows a point.

The world is `scene`'s: dial radii, x right, y away from the viewer, z up from the dial's plane, the dial's centre at
0. A pixel (column, row) sees the plane at height z at (a column + b row + c) / (d column + e row + f): one homography
per plane, and all planes share the denominator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.clocks.scene import Scene


@dataclass(frozen=True)
class Camera:
    """The cameras of N images; every tensor is float64 [N]."""

    size: int
    distance: Tensor
    sin_tilt: Tensor
    cos_tilt: Tensor
    sin_roll: Tensor
    cos_roll: Tensor
    focal: Tensor  # pixels
    centre_x: Tensor  # pixels
    centre_y: Tensor  # pixels

    @staticmethod
    def of(scene: Scene, size: int) -> Camera:
        """The cameras of a scene for images `size` pixels a side."""
        tilt, roll = torch.deg2rad(scene.tilt.double()), torch.deg2rad(scene.roll.double())
        return Camera(
            size=size,
            distance=scene.focal.double() / scene.zoom.double(),
            sin_tilt=tilt.sin(),
            cos_tilt=tilt.cos(),
            sin_roll=roll.sin(),
            cos_roll=roll.cos(),
            focal=scene.focal.double() * size,
            centre_x=scene.centre_x.double() * size,
            centre_y=scene.centre_y.double() * size,
        )

    def image_row(self, x: Tensor | float, y: Tensor | float, constant: Tensor | float) -> Tensor:
        """Coefficients [N, 3] of column, row and 1 for x * X + y * Y + constant over the image.

        X (right) and Y (down) are the image's coordinates in focal lengths about the dial's centre, unrolled.
        """
        column = (x * self.cos_roll + y * self.sin_roll) / self.focal
        row = (y * self.cos_roll - x * self.sin_roll) / self.focal
        # Pixel centres lie at half-integers.
        shift = column * (0.5 - self.centre_x) + row * (0.5 - self.centre_y)
        return torch.stack([column, row, shift + constant], -1)

    def denominator(self) -> Tensor:
        """Coefficients [N, 3] of the denominator that all planes share."""
        return self.image_row(0.0, self.sin_tilt, self.cos_tilt)

    def plane_row(
        self, height: Tensor | float, x: Tensor | float, y: Tensor | float, constant: Tensor | float
    ) -> Tensor:
        """Coefficients [N, 3] of the numerator of x * qx + y * qy + constant, q the plane's point in a pixel."""
        above = self.distance * self.cos_tilt - height
        origin = constant - y * self.distance * self.sin_tilt
        return self.image_row(
            x * above,
            origin * self.sin_tilt - y * above * self.cos_tilt,
            origin * self.cos_tilt + y * above * self.sin_tilt,
        )

    def project(self, points: Tensor, height: Tensor | float = 0.0) -> Tensor:
        """Where points [N, K, 2] of the plane at a height are seen: (column, row) in pixels [N, K, 2]."""
        sin_tilt, cos_tilt = self.sin_tilt[:, None], self.cos_tilt[:, None]
        sin_roll, cos_roll = self.sin_roll[:, None], self.cos_roll[:, None]
        distance = self.distance[:, None]
        height = height[:, None] if isinstance(height, Tensor) else height
        x = points[..., 0].double()
        y = points[..., 1].double() + distance * sin_tilt
        z = height - distance * cos_tilt
        forward = y * sin_tilt - z * cos_tilt
        right, down = x / forward, -(y * cos_tilt + z * sin_tilt) / forward
        column = (cos_roll * right + sin_roll * down) * self.focal[:, None] + self.centre_x[:, None] - 0.5
        row = (cos_roll * down - sin_roll * right) * self.focal[:, None] + self.centre_y[:, None] - 0.5
        return torch.stack([column, row], -1)


def compass(degrees: Tensor) -> tuple[Tensor, Tensor]:
    """World x and y of the direction so many degrees clockwise from "up" in the image (float64)."""
    radians = torch.deg2rad(degrees.double())
    return radians.sin(), radians.cos()
