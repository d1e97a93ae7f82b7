"""Images while they are painted, and the distance functions of the shapes.

Shapes are signed distances [B, H, W], negative inside, in hundredths of the image's side; values of a whole
image are [B, 1, 1], colours [B, 3, 1, 1]. An edge is a ramp one pixel wide.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlcourse.toons.face import Face
from dlcourse.toons.styles import rgb

OUTLINE = 1.15  # width of the ink around a shape
SIDES = (-1.0, 1.0)  # left and right
FAR = 99.0  # a distance beyond every edge


class Canvas:
    """B images, or the same rows of each.

    Attributes:
        image: float32 [B, 3, H, W], 0 to 255.
        u, v: coordinates of the pixels in the image, [1, 1, W] and [1, H, 1].
        x, y: coordinates relative to the head's centre, turned with the head, [B, H, W].
        head: distance from the head [B, H, W], used by many layers.
        face: the parameters of the B faces.
        sharpness: pixels in a hundredth of the side.
    """

    def __init__(self, image: Tensor, u: Tensor, v: Tensor, planes: tuple[Tensor, ...], face: Face, sharpness: float):
        self.image, self.u, self.v, self.face, self.sharpness = image, u, v, face, sharpness
        self.planes = self.x, self.y, self.head = planes

    @classmethod
    def blank(cls, face: Face, size: int) -> Canvas:
        """Empty images."""
        device = face.x.device
        steps = (torch.arange(size, dtype=torch.float32, device=device) + 0.5) * (100 / size)
        u, v = steps[None, None, :], steps[None, :, None]
        right, down = u - face.x, v - face.y
        x = right * face.cos + down * face.sin
        y = down * face.cos - right * face.sin
        image = torch.empty(len(face), 3, size, size, device=device)
        return cls(image, u, v, (x, y, _head(x, y, face)), face, size / 100)

    def rows(self, top: float, bottom: float) -> Canvas:
        """A view of the rows between two heights, 0 to 100."""
        size = self.image.shape[2]
        part = slice(int(top * size / 100), -int(-bottom * size // 100))
        planes = tuple(plane[:, part] for plane in self.planes)
        return Canvas(self.image[:, :, part], self.u, self.v[:, part], planes, self.face, self.sharpness)

    def where(self, chosen: Tensor, paint: Callable[[Canvas], None]) -> None:
        """Paint on some of the images only, `chosen` bool [B]."""
        index = chosen.nonzero()[:, 0]
        if not len(index):
            return
        planes = tuple(plane.index_select(0, index) for plane in self.planes)
        some = Canvas(self.image.index_select(0, index), self.u, self.v, planes, self.face[index], self.sharpness)
        paint(some)
        self.image.index_copy_(0, index, some.image)

    def linear(self, along: Tensor, down: Tensor, constant: Tensor) -> Tensor:
        """along * x + down * y + constant, from one row and one column instead of planes."""
        face = self.face
        right, under = along * face.cos - down * face.sin, along * face.sin + down * face.cos
        return torch.add((self.u - face.x) * right, (self.v - face.y) * under + constant)

    def cone(self, ax: Tensor, ay: Tensor, ar: Tensor | float, bx: Tensor, by: Tensor, br: Tensor | float) -> Tensor:
        """As the function of that name, on the head."""
        dx, dy = bx - ax, by - ay
        span = (dx * dx + dy * dy).sqrt().clamp_min(1e-3)
        dx, dy = dx / span, dy / span
        along = self.linear(dx, dy, -ax * dx - ay * dy)
        across = self.linear(-dy, dx, ax * dy - ay * dx)
        on = along.clamp_min(0).clamp_max_(span)
        along.sub_(on).square_()
        along.addcmul_(across, across).sqrt_()
        return along.sub_(on.mul_((br - ar) / span).add_(ar))

    def cover(self, distance: Tensor) -> Tensor:
        """Coverage of each pixel, 0 to 1."""
        return torch.clamp(0.5 - distance * self.sharpness, 0, 1)

    def fill(self, distance: Tensor, colour: Tensor, strength: Tensor | float = 1.0) -> None:
        """Paint the inside."""
        cover = self.cover(distance)
        if not isinstance(strength, float) or strength != 1.0:
            cover *= strength
        self.image.lerp_(colour, cover[:, None])

    def shape(self, distance: Tensor, colour: Tensor, line: float = OUTLINE) -> None:
        """Paint the inside, and a line of ink around it."""
        self.fill(distance - line, self.face.ink)
        self.fill(distance, colour)


def length(x: Tensor, y: Tensor) -> Tensor:
    """The root of x^2 + y^2."""
    return torch.addcmul(x * x, y, y).sqrt_()


def disc(x: Tensor, y: Tensor, radius: Tensor | float) -> Tensor:
    """Distance from a disc around zero."""
    return length(x, y).sub_(radius)


def ellipse(x: Tensor, y: Tensor, wide: Tensor | float, high: Tensor | float) -> Tensor:
    """Approximate distance from an ellipse around zero with these half axes."""
    return length(x / wide, y / high).sub_(1).mul_((wide + high) / 2)


def box(x: Tensor, y: Tensor, wide: Tensor | float, high: Tensor | float) -> Tensor:
    """Distance from a box around zero with these half sides; corners outside are sharp."""
    return torch.maximum(x.abs() - wide, y.abs() - high)


def cone(
    x: Tensor, y: Tensor, ax: Tensor, ay: Tensor, ar: Tensor | float, bx: Tensor, by: Tensor, br: Tensor | float
) -> Tensor:
    """Distance from a thick line from a to b whose radius goes from `ar` to `br`."""
    dx, dy = bx - ax, by - ay
    scale = 1 / (dx * dx + dy * dy).clamp_min(1e-6)
    px, py = x - ax, y - ay
    along = torch.addcmul(px * (dx * scale), py, dy * scale).clamp_(0, 1)
    px, py = torch.addcmul(px, along, dx, value=-1), torch.addcmul(py, along, dy, value=-1)
    return length(px, py).sub_(ar).sub_(along * (br - ar))


def _head(x: Tensor, y: Tensor, face: Face) -> Tensor:
    """Distance from a cone from skull to jaw; `squareness` makes it angular."""
    span = face.bottom - face.top
    y = y - face.top
    along = (y / span).clamp_(0, 1)
    y = torch.addcmul(y, along, span, value=-1).square_()
    x = x.square()
    square = torch.addcmul(x * x, y, y).sqrt_()
    return torch.lerp(x.add_(y), square, face.squareness * 0.8).sqrt_().sub_(torch.lerp(face.skull, face.jaw, along))


def plain(canvas: Canvas, code: str) -> Tensor:
    """A fixed colour."""
    return torch.tensor(rgb(code), device=canvas.image.device)[:, None, None]


def shade(colour: Tensor, share: float) -> Tensor:
    """Darker, and a little warmer."""
    return colour * colour.new_tensor([share + 0.03, share - 0.02, share])[:, None, None]


def lighter(colour: Tensor, share: float) -> Tensor:
    """Nearer to white."""
    return torch.lerp(colour, colour.new_tensor(255.0), share)
