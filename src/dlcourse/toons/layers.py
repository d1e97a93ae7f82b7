"""The layers of a cartoon face, from the back to the front."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from dlcourse.toons.canvas import OUTLINE, Canvas, box, cone, disc, ellipse, length
from dlcourse.toons.scene import values_of
from dlcourse.toons.styles import rgb

LEFT, RIGHT = -1.0, 1.0
FAR = 99.0  # a distance beyond every edge


def _colour(canvas: Canvas, code: str) -> Tensor:
    return torch.tensor(rgb(code), device=canvas.picture.device)[:, None, None]


def _shade(colour: Tensor, share: float) -> Tensor:
    """Darker, and a little warmer."""
    return colour * colour.new_tensor([share + 0.03, share - 0.02, share])[:, None, None]


def _lighter(colour: Tensor, share: float) -> Tensor:
    return colour + (255 - colour) * share


@lru_cache(maxsize=8)
def _patterns(size: int, device: torch.device) -> Tensor:
    """How much of the second colour a background has, float32 [patterns, 1, S, S]."""
    steps = (torch.arange(size, dtype=torch.float64) + 0.5) * (100 / size)
    u, v = steps[None, :], steps[:, None]
    across, down = u - 50, v - 55
    waves = {
        "plain": (v - 50) * (1.2 / size) + u * 0,
        "halo": (across.square() + (v - 50).square()).sqrt() - 40,
        "stripes": torch.sin((u + v) * 0.36) / 0.5,
        "dots": (0.55 - torch.cos(u * 0.5) * torch.cos(v * 0.5)) / 0.35,
        "rays": torch.sin(torch.atan2(down, across) * 9) * (across.square() + down.square()).sqrt() / 9,
        "checks": torch.sin(u * 0.2514) * torch.sin(v * 0.2514) / 0.25,
    }
    distances = torch.stack([waves[name] for name in values_of("background")])
    return (0.5 - distances * (size / 100)).clamp(0, 1).float()[:, None].to(device)


def background(canvas: Canvas) -> None:
    """A colour, and a pattern of a lighter one."""
    first = canvas.face.background_colour
    share = _patterns(canvas.picture.shape[2], canvas.picture.device)[canvas.face.background]
    torch.lerp(first, _lighter(first, 0.45), share, out=canvas.picture)


def _cones(canvas: Canvas, side: str, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Distance from the union of the hair's cones, and how much nearer the nearest is than the next."""
    face = canvas.face
    cones, count = getattr(face, f"{side}_cones"), int(getattr(face, f"{side}_count").max())
    nearest = torch.full_like(canvas.x, FAR)
    second, seams = nearest.clone(), bool(face.seams.any())
    for k in range(count):
        ax, ay, ar, bx, by, br = (cones[:, k] * face.volume[:, None]).unbind(1)
        # the roots stay on the skull whatever the volume
        distance = canvas.cone(ax + shift, ay + face.top, ar, bx + shift, by + face.top, br)
        # a style with fewer cones is filled up with zeros
        distance += (ar <= 0) * FAR
        if seams:
            torch.minimum(second, torch.maximum(nearest, distance), out=second)
        torch.minimum(nearest, distance, out=nearest)
    return nearest, second


def _hair(canvas: Canvas, distance: Tensor, nearest: Tensor, second: Tensor, colour: Tensor) -> None:
    distance = torch.maximum(distance, canvas.face.hat_y - canvas.y)
    canvas.shape(distance, colour)
    if not canvas.face.seams.any():
        return
    seams = torch.maximum((second - nearest) * 0.5 - 0.45, nearest + 0.4)
    canvas.fill(torch.maximum(seams, distance), _shade(colour, 0.55), canvas.face.seams)


def hair_behind(canvas: Canvas) -> None:
    """What of the hair is behind the head."""

    def paint(some: Canvas) -> None:
        nearest, second = _cones(some, "back", some.face.turned * -0.3)
        _hair(some, nearest, nearest, second, _shade(some.face.hair_colour, 0.9))

    canvas.where(canvas.face.back_count > 0, paint)


def body(canvas: Canvas) -> None:
    """Neck, shoulders and clothes."""
    face, u, v = canvas.face, canvas.u, canvas.v
    middle = 50 + (face.x - 50) * 0.6 - face.sin * 12
    skin = _shade(face.skin, 0.88)
    canvas.shape(cone(u, v, face.x - face.sin * face.bottom, face.y + face.bottom, 6.5, middle, torch.full_like(middle, 95.0), 7.0), skin)  # fmt: skip
    torso = cone(
        u, v, middle - 17, torch.full_like(middle, 107.0), 19.0, middle + 17, torch.full_like(middle, 107.0), 19.0
    )
    canvas.shape(torso, face.clothes_colour)
    white, dark = _colour(canvas, "fbf7ee"), _colour(canvas, "35507f")

    def crew(c: Canvas, torso: Tensor, x: Tensor) -> None:
        c.shape(torch.maximum(ellipse(x, c.v - 87.5, 9.0, 6.0), torso), _shade(c.face.clothes_colour, 0.75))
        c.fill(ellipse(x, c.v - 86, 7.4, 4.6), _shade(c.face.skin, 0.88))

    def stripes(c: Canvas, torso: Tensor, x: Tensor) -> None:
        band = (torch.sin(c.v * 0.85 + x * x * 0.006) / 0.85) + 0.2
        c.fill(torch.maximum(band, torso), _lighter(c.face.clothes_colour, 0.65))
        crew(c, torso, x)

    def v_neck(c: Canvas, torso: Tensor, x: Tensor) -> None:
        cut = (x.abs() + (c.v - 99) * 0.62) * 0.85
        c.shape(torch.maximum(cut, torso), _shade(c.face.skin, 0.88))

    def tie(c: Canvas, torso: Tensor, x: Tensor) -> None:
        cut = (x.abs() + (c.v - 103) * 0.7) * 0.82
        c.shape(torch.maximum(cut, torso), white)
        down = torch.zeros_like(x)
        c.shape(cone(x, c.v, down, down + 93, 1.6, down, down + 104, 3.0), _shade(c.face.clothes_colour, 0.6))
        c.shape(ellipse(x, c.v - 91.5, 2.3, 1.5), _shade(c.face.clothes_colour, 0.6))

    def dungarees(c: Canvas, torso: Tensor, x: Tensor) -> None:
        crew(c, torso, x)
        bib = torch.minimum(box(x.abs() - 11.5, c.v - 90, 2.2, 12.0), box(x, c.v - 105, 13.0, 9.0))
        c.shape(torch.maximum(bib, torso), dark)
        c.shape(disc(x.abs() - 11.5, c.v - 96.5, 1.0), _colour(c, "ffd23f"), 0.5)

    for name, paint in (
        ("crew", crew),
        ("stripes", stripes),
        ("v_neck", v_neck),
        ("tie", tie),
        ("dungarees", dungarees),
    ):
        chosen = face.at("clothes", name)
        canvas.where(chosen, lambda c, p=paint, k=chosen: p(c, torso[k], c.u - middle[k]))
    # The head's shadow.
    shadow = torch.maximum(canvas.head - 3, cone(u, v, face.x, face.y, 6.5, middle, torch.full_like(middle, 95.0), 7.0))  # fmt: skip
    canvas.fill(shadow, _shade(face.skin, 0.7))


def _ears(canvas: Canvas) -> list[tuple[Tensor, Tensor, float]]:
    """Left and right: x of the middle, how far the ear comes forward, side."""
    face, found = canvas.face, []
    for side in (LEFT, RIGHT):
        # The near ear comes forward over the cheek, the far one goes behind the head.
        forward, behind = (face.turn * -side).clamp_min(0), (face.turn * side).clamp_min(0)
        at = side * (face.skull * (0.99 - 0.3 * forward - 0.16 * behind) + face.ear * 0.3)
        found.append((at, forward, side))
    return found


def head(canvas: Canvas) -> None:
    """Skull and jaw with the ears, and a shade on the side away from the light."""
    face, outline = canvas.face, canvas.head
    for at, _, _ in _ears(canvas):
        ear = ellipse(canvas.x - at, canvas.y - face.ear_y, face.ear * 0.82, face.ear)
        outline = torch.minimum(outline, ear)
    canvas.shape(outline, face.skin)
    # the head once more, up to the left, about
    moon = torch.maximum(canvas.head, canvas.linear(-2.6 / face.skull, -2.2 / face.skull, face.skull * 0) - canvas.head)
    canvas.fill(moon, _shade(face.skin, 0.9))


def ears(canvas: Canvas) -> None:
    """What of the ears is seen on the head, and earrings."""
    face = canvas.face
    for at, forward, side in _ears(canvas):
        x, y = canvas.x - at, canvas.y - face.ear_y
        ear = ellipse(x, y, face.ear * 0.82, face.ear)
        drawn = (forward * 3).clamp(0, 1)
        canvas.fill(ear.abs() - OUTLINE * 0.7, face.ink, drawn)
        canvas.fill(ear, face.skin, drawn)
        canvas.fill(disc(x - side * 0.1 * face.ear, y, face.ear * 0.42), _shade(face.skin, 0.72), 0.85)

    def earring(c: Canvas, hoop: bool) -> None:
        f, gold = c.face, _colour(c, "ffc928")
        for at, _, side in _ears(c):
            x, y = c.x - at - side * 0.15 * f.ear, c.y - f.ear_y - f.ear * 1.1
            if hoop:
                ring = disc(x, y - 2.4, 2.8).abs()
                c.fill(ring - 1.4, f.ink)
                c.fill(ring - 0.65, gold)
            else:
                c.shape(disc(x, y, 1.35), gold, 0.8)

    canvas.where(face.at("earrings", "studs"), lambda c: earring(c, False))
    canvas.where(face.at("earrings", "hoops"), lambda c: earring(c, True))


def cheeks(canvas: Canvas) -> None:
    """Blush and freckles."""
    face = canvas.face
    y = canvas.y - face.nose_y - 3.2
    for side in (LEFT, RIGHT):
        x = canvas.x - face.turned - side * face.skull * (0.6 - 0.12 * side * face.turn)
        glow = torch.clamp(1 - length(x / 4.4, y / 3.2), 0, 1).mul_(1.6).clamp_(0, 1)
        canvas.picture.lerp_(_colour(canvas, "ff5d6c")[None], (glow * face.blush)[:, None])

    def freckles(c: Canvas) -> None:
        f = c.face
        for side in (LEFT, RIGHT):
            for dx, dy in ((0.0, 0.0), (2.6, -1.3), (-2.4, -1.2)):
                x = c.x - f.turned - side * f.skull * (0.56 - 0.1 * side * f.turn) - dx
                c.fill(disc(x, c.y - f.nose_y - 2.6 - dy, 0.65), _shade(f.skin, 0.6), 0.9)

    canvas.where(face.at("freckles", "some"), freckles)


def beard(canvas: Canvas) -> None:
    """What grows on the chin, under the mouth's layer."""

    def stubble(c: Canvas) -> None:
        f = c.face
        chin = torch.maximum(c.head + 0.3, ellipse(c.x - f.mouth_x, c.y - f.mouth_y - 1, f.jaw * 0.82, 9.5))
        c.fill(chin, torch.lerp(f.skin, _shade(f.hair_colour, 0.7), 0.35), 0.85)

    def full(c: Canvas) -> None:
        f = c.face
        x = c.x - f.mouth_x
        edge = f.mouth_y - 3.5 - (x / f.jaw).square() * 7 + 0.9 * torch.cos(x * 0.5)
        below = torch.maximum(c.head - 1.6 - 0.5 * torch.cos(c.x * 0.9), (edge - c.y) * 0.8)
        c.shape(below, f.hair_colour)

    def goatee(c: Canvas) -> None:
        f = c.face
        chin = f.bottom + f.jaw
        c.shape(c.cone(f.mouth_x, chin - 2.5, 4.6, f.mouth_x * 0.8, chin + 4.5, 1.0), f.hair_colour)

    for name, paint in (("stubble", stubble), ("full", full), ("goatee", goatee)):
        canvas.where(canvas.face.at("beard", name), paint)


def mouth(canvas: Canvas) -> None:
    """A lens between two parabolas, with teeth and tongue where it is open."""
    face = canvas.face
    x, y = canvas.x - face.mouth_x, canvas.y - face.mouth_y
    bow = 1 - (x / face.mouth).square()
    bend = face.smile * 4.2
    steep = torch.rsqrt(1 + (x * (2 * bend / face.mouth.square())).square())
    middle = bend * (bow - 0.5) + face.open * 0.35 * face.smile * bow
    half = face.open * bow
    # beyond the corners the lens has a negative height, so the distance grows there
    gap = (y - middle).abs() - torch.where(bow > 0, half, bow * 6)
    gap *= steep
    canvas.fill(gap - OUTLINE * 0.85, face.ink)
    canvas.fill(gap + 0.2, _colour(canvas, "7c1f35"))
    inner = gap + 0.5
    canvas.fill(
        torch.maximum(inner, disc(x * 0.8, y - middle - face.open * 1.15, face.open * 0.85)), _colour(canvas, "f2707f")
    )
    upper = y - (middle - half)

    def row(c: Canvas, inner: Tensor, x: Tensor, upper: Tensor) -> None:
        c.fill(torch.maximum(inner, upper - 2.3), _colour(c, "ffffff"))

    def two(c: Canvas, inner: Tensor, x: Tensor, upper: Tensor) -> None:
        teeth = torch.maximum(upper - 3.0, (x.abs() - 1.75).abs() - 1.4)
        c.fill(torch.maximum(inner, teeth), _colour(c, "ffffff"))

    for name, paint in (("row", row), ("two", two)):
        chosen = face.at("teeth", name)
        canvas.where(chosen, lambda c, p=paint, k=chosen: p(c, inner[k], x[k], upper[k]))


def moustache(canvas: Canvas) -> None:
    """Two cones that curl up, above the mouth."""

    def paint(c: Canvas) -> None:
        f = c.face
        x, y = c.x - f.mouth_x, f.mouth_y - 4.6
        distance = torch.full_like(c.x, FAR)
        for side in (LEFT, RIGHT):
            half = cone(x, c.y, x.new_tensor(side * 1.6), y, 1.9, x.new_tensor(side * 6.5), y + 0.9, 1.5)
            tip = cone(x, c.y, x.new_tensor(side * 6.5), y + 0.9, 1.5, x.new_tensor(side * 9.5), y - 1.6, 0.3)
            distance = torch.minimum(distance, torch.minimum(half, tip))
        c.shape(distance, f.hair_colour)

    canvas.where(canvas.face.at("beard", "moustache"), paint)


def hair_in_front(canvas: Canvas) -> None:
    """The cap down to the hairline, and what of the hair is on the head."""

    def paint(some: Canvas) -> None:
        face = some.face
        shift = face.turned * 0.35
        nearest, second = _cones(some, "front", shift)
        a, b, c, part, d, e, thick = face.cap.unbind(1)
        across = (some.x - shift) / face.skull
        line = a + b * (across - part).abs() + c * across.square()
        line = line + d * torch.sin(e * across)
        thickness = thick * face.volume
        cap = torch.maximum(some.head - thickness, some.y - face.top - line * face.skull)
        _hair(some, torch.minimum(nearest, cap), nearest, second, face.hair_colour)
        # A light streak along the crown.
        shine = (some.head + 4.2).abs() - 0.8
        streak = torch.maximum(shine, (across + 0.42).abs() * 14 - 4)
        hat = face.hat_y - some.y + 2
        some.fill(torch.maximum(torch.maximum(streak, cap + 1.2), hat), _lighter(face.hair_colour, 0.45), 0.75)

    canvas.where(~canvas.face.at("hair", "bald") & ~canvas.face.at("hair", "tufts"), paint)


def eyes(canvas: Canvas) -> None:
    """Big whites, iris and pupil that look somewhere, a glint, lids."""
    face = canvas.face
    white, lid_colour = _colour(canvas, "ffffff"), _shade(face.skin, 0.88)
    both = face.at("eyes", "both_closed")
    for side, name in ((LEFT, "left_closed"), (RIGHT, "right_closed")):
        closed = (face.at("eyes", name) | both)[:, None, None]
        narrow = 1 - 0.2 * (face.turn * side).clamp_min(0)
        at = face.turned + side * face.eye_x * narrow
        x, y = canvas.x - at, canvas.y - face.eye_y
        wide, high = face.eye * narrow, face.eye * 1.06
        ball = ellipse(x, y, wide, high)
        canvas.fill(ball - OUTLINE, torch.where(closed[:, None], _shade(face.skin, 0.72), face.ink))
        canvas.fill(ball, white)
        inside = ball + 0.1
        pupil = face.pupil * face.eye
        room = 0.9 * face.eye - pupil
        px = x - face.look_x * room * narrow * 0.8
        py = y - face.look_y * room * 0.7
        canvas.fill(torch.maximum(disc(px, py, pupil * 1.5), inside), face.iris)
        canvas.fill(torch.maximum(disc(px, py, pupil), inside), face.ink)
        canvas.fill(disc(px + pupil * 0.45, py + pupil * 0.5, pupil * 0.38), white)
        level = -high + 2 * high * face.lids + face.lid_tilt * -side * x * 0.9
        level = torch.where(closed, (0.45 - 0.6 * (x / wide).square()) * high, level)
        canvas.fill(torch.maximum(ball, torch.where(closed, -1.0, y - level)), lid_colour)
        canvas.fill(torch.maximum(ball, (y - level).abs() - torch.where(closed, 1.0, 0.7)), face.ink)

        def lashes(c: Canvas, side: float = side, at: Tensor = at, wide: Tensor = wide) -> None:
            chosen = face.at("lashes", "long")
            f, at, wide = c.face, at[chosen], wide[chosen]
            for across, up in ((0.95, 0.42), (0.72, 0.78)):
                ax, ay = at + side * wide * across * 0.95, f.eye_y - f.eye * up
                c.fill(c.cone(ax, ay, 0.8, ax + side * 3.0 * across, ay - 3.4 * up, 0.35), f.ink)

        canvas.where(face.at("lashes", "long"), lashes)


def nose(canvas: Canvas) -> None:
    """A nose in one of five shapes, pointing where the head does."""
    colour = canvas.face.skin * canvas.picture.new_tensor([0.98, 0.89, 0.87])[:, None, None]
    shapes = {  # x, y, radius of root and tip, in sizes of the nose
        "button": (0.0, 0.0, 0.8, 0.0, 0.05, 0.8),
        "drop": (-0.15, -1.1, 0.42, 0.25, 0.35, 0.85),
        "pointed": (-0.25, -0.75, 0.5, 1.9, 0.25, 0.28),
        "potato": (-0.65, 0.1, 0.72, 0.65, 0.1, 0.72),
        "snub": (0.0, -0.8, 0.3, 0.0, 0.2, 0.72),
    }
    for name, (ax, ay, ar, bx, by, br) in shapes.items():
        chosen = canvas.face.at("nose_shape", name)

        def paint(c: Canvas, shape: tuple[float, ...] = (ax, ay, ar, bx, by, br), chosen: Tensor = chosen) -> None:
            ax, ay, ar, bx, by, br = shape
            f, size = c.face, c.face.nose
            way = torch.tanh(f.turn * 5)
            x, y = f.nose_x, f.nose_y
            c.shape(c.cone(x + ax * way * size, y + ay * size, ar * size, x + bx * way * size, y + by * size, br * size), colour[chosen])  # fmt: skip

        canvas.where(chosen, paint)


def glasses(canvas: Canvas) -> None:
    """Rims, bridge, temples and lenses."""

    def paint(c: Canvas, square: bool, dark: bool) -> None:
        f = c.face
        bridge = torch.full_like(c.x, FAR)
        for side in (LEFT, RIGHT):
            narrow = 1 - 0.2 * (f.turn * side).clamp_min(0)
            x, y = c.x - f.turned - side * f.eye_x * narrow * 1.05, c.y - f.eye_y - 0.3
            wide, high = f.eye * narrow + 0.9, f.eye + (0.4 if square else 0.9)
            lens = box(x, y, wide - 1.5, high - 1.5).clamp_min(-1.5) if square else ellipse(x, y, wide, high)
            if square:
                lens = length(
                    (x.abs() - wide + 2.5).clamp_min(0), (y.abs() - high + 2.5).clamp_min(0)
                ) - 2.5 + torch.maximum(x.abs() - wide + 2.5, y.abs() - high + 2.5).clamp_max(0)  # fmt: skip
            rim = lens.abs()
            temple = box(c.x - side * f.skull - 0.5 * (f.turned + side * (f.eye_x + f.eye - f.skull)), y + 1.0, (f.skull - side * f.turned - f.eye_x - f.eye).abs() * 0.5 + 0.8, 0.8)  # fmt: skip
            bridge = torch.minimum(bridge, torch.maximum(temple, -lens))
            if dark:
                c.fill(lens, f.ink, 0.96)
                c.fill(torch.maximum(lens + 1.6, ((x - y * 0.5) + 2.0).abs() - 0.9), _colour(c, "ffffff"), 0.55)
            c.fill(rim - 0.95, f.ink)
        middle = box(c.x - f.turned, c.y - f.eye_y + 0.8, (f.eye_x * 1.05 - f.eye).clamp_min(0.6), 0.8)
        c.fill(torch.minimum(bridge, middle), f.ink)

    canvas.where(canvas.face.at("glasses", "round"), lambda c: paint(c, False, False))
    canvas.where(canvas.face.at("glasses", "square"), lambda c: paint(c, True, False))
    canvas.where(canvas.face.at("glasses", "dark"), lambda c: paint(c, True, True))


def brows(canvas: Canvas) -> None:
    """Two thick lines in a dark shade of the hair."""
    face = canvas.face
    colour = _shade(face.hair_colour, 0.6)
    for side in (LEFT, RIGHT):
        narrow = 1 - 0.2 * (face.turn * side).clamp_min(0)
        at = face.turned + side * face.eye_x * narrow
        reach = face.eye * 0.72 * narrow
        drop = face.brow_tilt * face.eye * 0.5
        inner, outer = at - side * reach, at + side * reach
        bar = canvas.cone(inner, face.brow_y + drop, face.brow, outer, face.brow_y - drop * 0.7, face.brow * 0.6)
        canvas.fill(bar - 0.45, face.ink)
        canvas.fill(bar + 0.25, colour)


def hat(canvas: Canvas) -> None:
    """Something on the head."""

    def dome(c: Canvas, off: float, line: Tensor) -> Tensor:
        return torch.maximum(c.head - off, c.y - line)

    def accent(c: Canvas) -> Tensor:
        # another colour than the clothes', by turning red, green and blue
        return c.face.clothes_colour.roll(1, 1)

    def band(c: Canvas, middle: Tensor, half: float, off: float) -> Tensor:
        return torch.maximum(c.head - off, (c.y - middle).abs() - half)

    def beanie(c: Canvas) -> None:
        f, line = c.face, c.face.hat_y
        crown = f.top - f.skull - 3
        c.shape(disc(c.x, c.y - crown - 0.5, 4.0), _colour(c, "fbf7ee"))
        c.shape(dome(c, 2.6, line), accent(c))
        c.shape(band(c, line - 1.5, 2.6, 3.4), _lighter(accent(c), 0.4))

    def cap(c: Canvas) -> None:
        f, line = c.face, c.face.hat_y
        way = torch.tanh(f.turn * 5)
        c.shape(dome(c, 2.2, line), accent(c))
        c.shape(
            c.cone(f.turned - way * 9, line - 0.5, 1.8, f.turned + way * 21, line + 1.0, 1.5), _shade(accent(c), 0.8)
        )
        c.shape(disc(c.x, c.y - f.top + f.skull + 2.4, 1.2), _shade(accent(c), 0.8))

    def bowler(c: Canvas) -> None:
        line = c.face.hat_y
        dark = _colour(c, "4a4458")
        crown = dome(c, 4.6, line)
        c.shape(crown, dark)
        c.fill(torch.maximum(crown, (c.y - line + 3.9).abs() - 1.8), accent(c))
        zero = torch.zeros_like(line)
        c.shape(c.cone(zero - c.face.skull * 1.18, line, 1.5, zero + c.face.skull * 1.18, line, 1.5), dark)

    def party(c: Canvas) -> None:
        f = c.face
        foot, tip = f.top - 0.82 * f.skull, f.top - 0.82 * f.skull - 18
        share = (c.y - tip) / 18
        side = (c.x.abs() - share * 10.5) * 0.85
        shape = torch.maximum(side, c.y - foot)
        c.shape(shape, accent(c))
        c.fill(torch.maximum(shape, torch.sin(c.y * 0.9 + c.x * 0.5)), _colour(c, "fff0a3"))
        c.shape(disc(c.x, c.y - tip, 2.2), _colour(c, "fbf7ee"), 0.9)

    def crown(c: Canvas) -> None:
        f = c.face
        foot = f.top - 0.72 * f.skull
        teeth = foot - 8 - 3.6 * torch.cos(c.x * (2 * torch.pi / 10.0))
        shape = torch.maximum((c.x.abs() - 15).maximum(c.y - foot), (teeth - c.y) * 0.5)
        c.shape(shape, _colour(c, "ffc928"))
        c.shape(
            torch.maximum(disc(torch.remainder(c.x + 5, 10) - 5, c.y - foot + 3.4, 1.3), c.x.abs() - 13),
            _colour(c, "e0453f"),
            0.5,
        )

    def bow(c: Canvas) -> None:
        f = c.face
        x, y = c.x - 0.55 * f.skull, c.y - f.top + 0.95 * f.skull
        zero = torch.zeros_like(f.top)
        for side in (LEFT, RIGHT):
            c.shape(cone(x, y, zero + side * 1.2, zero, 1.4, zero + side * 6, zero - side * 0.6, 3.4), accent(c))
        c.shape(disc(x, y, 1.9), _lighter(accent(c), 0.25))

    for name, paint in (
        ("beanie", beanie),
        ("cap", cap),
        ("bowler", bowler),
        ("party", party),
        ("crown", crown),
        ("bow", bow),
    ):
        canvas.where(canvas.face.at("hat", name), paint)


def paint_all(canvas: Canvas) -> None:
    """Every layer, back to front, each on the rows that it can reach in any face."""
    background(canvas)
    hair_behind(canvas)
    body(canvas.rows(60, 100))
    head(canvas.rows(12, 98))
    ears(canvas.rows(32, 90))
    cheeks(canvas.rows(42, 90))
    beard(canvas.rows(35, 100))
    mouth(canvas.rows(46, 97))
    hair_in_front(canvas.rows(0, 92))
    eyes(canvas.rows(28, 80))
    glasses(canvas.rows(28, 82))
    nose(canvas.rows(40, 85))
    moustache(canvas.rows(40, 97))
    brows(canvas.rows(16, 72))
    hat(canvas.rows(0, 65))
