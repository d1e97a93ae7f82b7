"""From a varied scene to pixels: layers of coverage, mixed from front to back, and their colours.

Every edge is a signed distance in dial radii, positive inside, that becomes a ramp one pixel wide. A layer is a
plane of coverage and one colour; the colours are mixed by one matrix product over all layers, so colour costs little
more than grey.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.atlas import GLYPH, SETS, WALLS, font_files, glyphs, walls
from dlcourse.clocks.varied.scene import Pose, VariedRanges, pose, twelve

TURN = 2 * torch.pi


def colour(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Red, green and blue [N, 3], 0 to 1, of hue, saturation and value [N]; values beyond 0 to 1 are clipped."""
    wheel = (hue[:, None] * 6 + torch.tensor([0.0, 4.0, 2.0], device=hue.device)) % 6
    pure = ((wheel - 3).abs() - 1).clamp(0, 1)
    return value.clamp(0, 1)[:, None] * (1 - saturation.clamp(0, 1)[:, None] * (1 - pure))


def against(value: Tensor, contrast: Tensor) -> Tensor:
    """A brightness [N] that differs from `value` by a share of what is possible, 0.35 at least."""
    darker = value > 0.55
    return torch.where(darker, value - contrast * (value + 0.05).clamp_min(0.4), value + contrast * (1.05 - value))


_KINDS = {
    (field, kind): number
    for field, value in vars(VariedRanges()).items()
    if isinstance(value, dict)
    for number, kind in enumerate(value)
}
_COLUMNS = VariedRanges.columns()
_LAYERS = 28  # at the most


class Planes:
    """The planes of a few images [B, S, S], and the layers that have been drawn, front to back.

    `planes.NAME` is a factor of the scene, [B, 1, 1].
    """

    def __init__(self, scene: Scene, size: int):
        self.scene, self.size, self.device = scene, size, scene.factors.device
        self.factors = scene.factors[:, :, None, None].unbind(1)
        self.used = (scene.factors != 0).any(0).tolist()
        self.left = torch.ones(len(scene), size, size, device=self.device)  # light that reaches the next layer
        self.light = torch.zeros_like(self.left)  # brightness that is added
        # Written in place, layer by layer: collecting the planes afterwards would copy them all.
        self.weights = torch.empty(len(scene), _LAYERS, size, size, device=self.device)
        self.colours: list[Tensor] = []
        self.place = pose(scene)
        self.steps = (torch.arange(size, device=self.device) + 0.5) / size
        self.pixels = (torch.linalg.det(self.place.shape).clamp_min(1e-9).sqrt() * size)[:, None, None]
        self.x, self.y = self._dial_plane(self.place, torch.deg2rad(twelve(scene)))
        self.r = torch.hypot(self.x, self.y)
        self.far = self.r  # 1 on the dial's rim, whatever its form

    def __getattr__(self, name: str) -> Tensor:
        if name not in _COLUMNS:
            raise AttributeError(f"unknown factor of a scene: {name!r}")
        return self.factors[_COLUMNS[name]]

    def any(self, name: str) -> bool:
        """Whether a factor that can be switched off is on in one of the images."""
        return self.used[_COLUMNS[name]]

    def kind(self, name: str, kind: str) -> Tensor:
        """Which images have a kind, 0 or 1 [B, 1, 1]."""
        return (getattr(self, name) == _KINDS[name, kind]).float()

    def _dial_plane(self, place: Pose, turn: Tensor) -> tuple[Tensor, Tensor]:
        """The dial's own coordinates of every pixel: right and down where its twelve is up."""
        matrix = torch.zeros(len(turn), 3, 3, device=self.device)
        matrix[:, :2, :2] = place.shape + place.centre[:, :, None] * place.bend[:, None]
        matrix[:, :2, 2], matrix[:, 2, :2], matrix[:, 2, 2] = place.centre, place.bend, 1
        back = torch.linalg.inv(matrix)
        back = back / (back[:, 2, :2] * place.centre).sum(1).add(back[:, 2, 2])[:, None, None]
        sin, cos = turn.sin()[:, None], turn.cos()[:, None]
        rows = torch.stack([cos * back[:, 0] + sin * back[:, 1], cos * back[:, 1] - sin * back[:, 0], back[:, 2]], 1)
        planes = (rows[..., 0, None] * self.steps)[:, :, None] + (rows[..., 1, None] * self.steps + rows[..., 2, None])[
            ..., None
        ]
        scale = planes[:, 2].clamp_min(0.1).reciprocal()
        return planes[:, 0] * scale, planes[:, 1] * scale

    def edge(self, inside: Tensor) -> Tensor:
        """Coverage of a signed distance in dial radii."""
        return inside.mul(self.pixels).add_(0.5).clamp_(0, 1)

    def add(self, coverage: Tensor, colour: Tensor, light: Tensor | None = None, also: Tensor | None = None) -> None:
        """Add a layer behind those before; `also` is the share of its coverage that takes the next colour instead."""
        weight = torch.mul(self.left, coverage, out=self.weights[:, len(self.colours)])
        self.left.sub_(weight)
        if light is not None:
            self.light.addcmul_(weight, light)
        self.colours.append(colour)
        if also is not None:
            second = torch.mul(weight, also, out=self.weights[:, len(self.colours)])
            weight.sub_(second)

    def mixed(self) -> Tensor:
        """The image [B, 3, S, S], 0 to 1 but for light that is too bright or too dark."""
        weights = self.weights[:, : len(self.colours)].flatten(2)
        found = torch.bmm(torch.stack(self.colours, 2), weights).view(-1, 3, self.size, self.size)
        return found.add_(self.light[:, None])


def _along(planes: Planes, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Distance along a hand at an angle in degrees [N], and beside it (without sign)."""
    angle = torch.deg2rad(angle)[:, None, None]
    sin, cos = angle.sin(), angle.cos()
    return planes.x * sin - planes.y * cos, (planes.x * cos).addcmul_(planes.y, sin)


def _hand(planes: Planes, angle: Tensor, length: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A hand's signed distance, its inner part's, and the side of each pixel; angle [B], length and width [B, 1, 1]."""
    along, side = _along(planes, angle)
    beside = side.abs()
    kinds = {kind: planes.kind("hands", kind) for kind in ("tapered", "sword", "spade", "arrow")}
    half = width * (0.5 - 0.22 * (kinds["sword"] + kinds["spade"] + kinds["arrow"]))
    # Straight or tapered, with the bulge of a sword at .62 of the length, and the tip: the least of three lines.
    bulge = width * kinds["sword"] * 0.5
    head = width * (0.5 + 2 * planes.tip) + 0.6 * length * kinds["sword"] * planes.tip
    to_tip = length - along
    wide = to_tip.mul((half + bulge) / head).add_(half * (1 - planes.tip))
    wide = torch.minimum(wide, along.mul(-0.7 * kinds["tapered"] * half / length).add_(half + bulge), out=wide)
    slope = bulge * 2.2 / length
    wide = torch.minimum(wide, along.mul(slope).add_(half + bulge - 0.62 * length * slope), out=wide)
    if kinds["arrow"].any():
        arrow = torch.minimum(to_tip * 0.45, (along - 0.7 * length).mul_(3)).mul_(kinds["arrow"])
        wide = torch.maximum(wide, arrow, out=wide)
    inside = torch.minimum(wide.sub_(beside), to_tip, out=wide)
    inside = torch.minimum(inside, along + planes.tail, out=inside)
    for place, radius in (
        (-0.68 * length, width * 0.75 * kinds["spade"]),
        (planes.tail, planes.counterweight),
    ):
        if (radius > 0).any():
            away = torch.hypot(along + place, beside).neg_().add_(radius - (radius == 0).float())
            inside = torch.maximum(inside, away, out=inside)
    inner = torch.minimum(inside - width / 2 * (1 - planes.lume), along - 0.12)
    return inside, inner, side


def draw_hands(planes: Planes, dial: Tensor, ink: Tensor) -> None:
    """Cap, second hand, minute hand, hour hand, alarm hand and their shadows; `dial` and `ink` are colours [N, 3]."""
    scene = planes.scene
    minutes = scene.minutes.float()
    at = minutes % 60 + scene.drift
    minute, hour = at * 6, (minutes // 60 * 60 + at) * 0.5 + scene.hour_error
    red = colour(scene.hand_hue * 0.06, torch.full_like(minutes, 0.9), 0.55 + 0.4 * scene.hand_hue)
    own = colour(1 - scene.hand_hue, torch.full_like(minutes, 0.8), 0.3 + 0.6 * scene.hand_hue)
    which = scene.second_red[:, None]
    second = torch.where(which < 0.6, red, torch.where(which < 0.8, ink, own))
    cap = torch.where(scene.cap_like_dial[:, None] > 0, dial, torch.where(which < 0.3, second, ink))
    planes.add(planes.edge(planes.cap - planes.r), cap)
    if planes.any("second"):
        along, side = _along(planes, scene.second_angle)
        inside = torch.minimum(planes.second - along, along + planes.second_tail)
        inside = torch.minimum(inside, side.abs_().neg_().add_(planes.second_width / 2), out=inside)
        planes.add(planes.edge(inside).mul_(planes.second > 0), second)
    skeleton = planes.kind("hands", "skeleton")
    lume = torch.where(skeleton[:, 0] > 0, dial, dial * 0.6 + 0.4 * (1 - ink).round())
    lit = torch.maximum(planes.lume.ceil(), skeleton)
    hands = (
        (minute, planes.minute_length, planes.hour_width * planes.minute_width_ratio),
        (hour, planes.minute_length * planes.hour_ratio, planes.hour_width),
    )
    for angle, length, width in hands:
        inside, inner, side = _hand(planes, angle, length, width)
        mask = planes.edge(inside)
        light = side.mul_(planes.pixels).clamp_(0, 1).mul_(planes.shine)
        if lit.any():
            planes.add(mask, ink, light, also=planes.edge(inner).mul_(lit))
            planes.colours.append(lume)
        else:
            planes.add(mask, ink, light)
    if planes.any("alarm"):
        along, side = _along(planes, scene.alarm_angle)
        inside = torch.minimum(0.01 - side.abs_(), torch.minimum(planes.alarm - along, along + 0.02))
        planes.add(planes.edge(inside) * (planes.alarm > 0), own)
    if planes.any("shadow"):
        # Of the hands' simple shape, moved, and softer than they are.
        x, y = planes.x, planes.y
        planes.x, planes.y = x - planes.shadow_x, y - planes.shadow_y
        cast = torch.zeros_like(x)
        for angle, length, width in hands:
            along, side = _along(planes, angle)
            inside = torch.minimum(length - along, along + planes.tail)
            inside = torch.minimum(inside, side.abs_().neg_().add_(width / 2), out=inside)
            torch.maximum(cast, inside.mul_(planes.pixels * 0.5).add_(0.5), out=cast)
        planes.x, planes.y = x, y
        planes.add(cast.clamp_(max=1).mul_(planes.shadow).mul_(planes.r < 1), torch.zeros_like(dial))


def draw_print(planes: Planes, ink: Tensor, marks: Tensor) -> None:
    """Numerals, words, the date, marks and circles on the dial; `ink` and `marks` are colours [N, 3]."""
    angle = torch.atan2(planes.x, -planes.y)
    hour = torch.round(angle * (12 / TURN))
    planes.add(_writing(planes, hour), ink)
    quarter = (hour.remainder(3) == 0) * (planes.quarter_gain - 1) + 1
    off12 = (angle - hour * (TURN / 12)).abs_().mul_(planes.r)
    found = _marks(planes, off12, "hour", quarter)
    off60 = (angle - torch.round(angle * (60 / TURN)).mul_(TURN / 60)).abs_().mul_(planes.r)
    found = torch.maximum(found, _marks(planes, off60, "minute"), out=found)
    if planes.any("track"):
        away = (planes.r - planes.mark_end - planes.track / 2).abs_().neg_().add_(planes.track / 2)
        torch.maximum(found, planes.edge(away).mul_(planes.track > 0), out=found)
    planes.add(found, marks)


def _marks(planes: Planes, off: Tensor, which: str, gain: Tensor | float = 1.0) -> Tensor:
    """Coverage of the hours' or the minutes' marks; `off` is the distance beside the nearest, `gain` widens them."""
    length, width = getattr(planes, f"{which}_mark_length"), getattr(planes, f"{which}_mark_width") * gain / 2
    along = planes.r - (planes.mark_end - length / 2)
    if which == "hour":
        width = width + width * planes.kind("hour_marks", "wedges") / length * along
    line = torch.minimum(width - off, length / 2 - along.abs())
    dots = planes.kind(f"{which}_marks", "dots")
    if dots.any():
        dot = width * 1.2 - torch.hypot(off, planes.r - planes.mark_end + 0.03)
        line = torch.where(dots > 0, dot, line)
    return planes.edge(line).mul_(1 - planes.kind(f"{which}_marks", "none"))


def _writing(planes: Planes, hour: Tensor) -> Tensor:
    """Coverage of all writing, by one look into the atlas: each pixel belongs to one text at the most.

    `hour` is the nearest hour of every pixel, -6 to 6.
    """
    scene, r = planes.scene, planes.r
    fonts = len(font_files())
    font = (planes.font * fonts).floor().clamp(max=fonts - 1) * len(SETS)
    height = planes.numeral_height
    low, high = 0.5 + height / 2, planes.mark_end - 0.75 * height - 0.4 * planes.hour_mark_length
    ring = low + (high - low).clamp_min(0) * planes.numeral_place
    tile = 1.45 * height  # a tile's side; half of it is the text's height
    row = font + planes.kind("numerals", "roman")
    column = hour.remainder(12)
    shown = 1 - planes.kind("numerals", "none")
    if planes.kind("numerals", "quarters").any():
        shown = shown * (1 - planes.kind("numerals", "quarters") * (column.remainder(3) != 0))
    toward = hour * (TURN / 12)
    sin, cos = toward.sin(), toward.cos_()
    is_upright = planes.kind("numeral_turn", "upright")
    if planes.any("inner_ring"):
        inner = (planes.inner_ring > 0) & ((r - planes.inner_ring).abs_() < 0.066)
        inner &= ring - height / 2 > planes.inner_ring + 0.05
        ring, tile = torch.where(inner, planes.inner_ring, ring), torch.where(inner, 0.2, tile)
        row = torch.where(inner, font + 2 + (planes.inner_ring_set > 0.5), row)
        shown, is_upright = torch.where(inner, 1.0, shown), torch.where(inner, 1.0, is_upright)
    x, y = planes.x - ring * sin, planes.y + ring * cos
    if not is_upright.all():
        # Radial texts are turned with their place, tangential ones are turned back in the lower half.
        flip = 1 - 2 * (planes.kind("numeral_turn", "tangential") * (cos < -0.01))
        sin, cos = sin.mul_(flip).mul_(1 - is_upright), torch.lerp(cos.mul_(flip), cos.new_ones(()), is_upright)
        x, y = x * cos + y * sin, y * cos - x * sin
    u, v = x.div_(tile * planes.numeral_stretch), y.div_(tile)
    u = torch.where(shown > 0, u, 2.0)
    words = (scene.word_which * 11.99)[:, None, None].floor()
    for gate, across, down, size, which, text in (
        ("word", 0.0, -planes.word_side.sign() * planes.word_place, planes.word, 4, words),
        ("date", planes.date_place, 0.0, planes.date * 1.6, 0, 3 + words.remainder(9)),
    ):
        if planes.any(gate):
            wide, deep = (planes.x - across) / size / 2, (planes.y - down) / size / 2
            here = (wide.abs() < 0.5) & (deep.abs() < 0.25) & (getattr(planes, gate) > 0)
            u, v = torch.where(here, wide, u), torch.where(here, deep, v)
            row, column = torch.where(here, font + which, row), torch.where(here, text, column)
    texture = glyphs(planes.device)
    rows = texture.shape[2] // GLYPH
    inside = (torch.maximum(u.abs(), v.abs()) < 0.48) & (r < 1)
    grid = torch.stack([(column + 0.5 + u) / 6 - 1, (row + 0.5 + v) * (2 / rows) - 1], -1)
    found = functional.grid_sample(texture, grid.view(1, -1, planes.size, 2), align_corners=False)
    return found.view_as(r) * inside


def draw_dial(planes: Planes, dial: Tensor, other: Tensor, pattern: Tensor) -> None:
    """The dial, and its windows and small dials; `other` is the second colour of its pattern [B, S, S]."""
    ax, ay = planes.x.abs(), planes.y.abs()
    box = torch.maximum(ax, ay)
    if planes.any("subdial"):
        turn = torch.deg2rad(planes.subdial_angle)
        sub = torch.hypot(planes.x - 0.45 * turn.sin(), planes.y + 0.45 * turn.cos())
        ring = planes.edge(0.012 - (sub - planes.subdial).abs()) + planes.edge(
            torch.minimum(0.012 - (planes.x - 0.45 * turn.sin()).abs(), planes.subdial * 0.8 - sub)
        )
        planes.add((ring * (planes.subdial > 0)).clamp_(0, 1), 1 - dial.round())
    if planes.any("date"):
        window = torch.minimum(planes.date - planes.y.abs(), 1.3 * planes.date - (planes.x - planes.date_place).abs())
        planes.add(planes.edge(window) * (planes.date > 0), torch.ones_like(dial) * 0.9)
    reach = {
        "square": lambda: box,
        "rounded": lambda: torch.maximum(box, planes.r * 0.83),
        "octagon": lambda: torch.maximum(box, (ax + ay) * 0.7071),
        "diamond": lambda: (ax + ay) * 0.8,
    }
    far = planes.r
    for name, norm in reach.items():
        if (here := planes.kind("shape", name) > 0).any():
            far = torch.where(here, norm(), far)
    planes.far = far
    light = planes.dial_gradient * planes.y - planes.dial_vignette * planes.r.square()
    alpha = 1 - 0.85 * planes.kind("dial", "clear")
    planes.add(planes.edge(1 - far) * alpha, dial, light, also=pattern * planes.dial_texture)
    planes.colours.append(other)


def draw_frame(planes: Planes) -> None:
    """Frame with its bevel and its second ring, and the clock's shadow on the wall."""
    scene, far = planes.scene, planes.far
    width = planes.frame + 1e-6
    part = (far - 1) / width
    value = scene.frame_value
    outer = colour(scene.frame_hue, scene.frame_saturation, value)
    second = colour(scene.frame_hue, scene.frame_saturation * 0.5, scene.rim_value)
    toward = torch.deg2rad(planes.frame_light)
    slope = (planes.x * toward.sin() - planes.y * toward.cos()) / far.clamp_min(0.5)
    light = planes.frame_bevel * slope - planes.frame_round * (2 * part - 1).square().clamp_(max=1)
    inside = torch.minimum(far - 1 + 0.02, 1 + planes.frame - far)
    planes.add(planes.edge(inside) * (planes.frame > 0), outer, light, also=((part < planes.rim) & (part > 0)).float())
    planes.colours.append(second)
    reach = 1 + planes.frame - (far - 0.1 * slope)
    shadow = (reach / planes.wall_shadow_size + 1).clamp_(0, 1).square() * planes.wall_shadow
    planes.add(shadow, torch.zeros_like(outer))


def wall_pattern(planes: Planes) -> Tensor:
    """A pattern over the image [B, S, S], 0 to 1."""
    scene = planes.scene
    tiles = walls(planes.device)[(scene.pattern_which * WALLS).long().clamp_(max=WALLS - 1)]
    turn = torch.deg2rad(scene.pattern_angle)
    sin, cos = (turn.sin() / scene.pattern_scale)[:, None], (turn.cos() / scene.pattern_scale)[:, None]
    steps = (planes.steps - 0.5) * 2
    x = (cos * steps)[:, None, :] + (sin * steps)[:, :, None] + scene.luck[:, 0, None, None] - 0.5
    y = (-sin * steps)[:, None, :] + (cos * steps)[:, :, None] + scene.luck[:, 1, None, None] - 0.5
    return functional.grid_sample(
        tiles[:, None], torch.stack([x, y], -1), padding_mode="reflection", align_corners=False
    )[:, 0]


def draw_wall(planes: Planes, pattern: Tensor) -> None:
    """Things behind the clock, and the wall."""
    scene = planes.scene
    value = torch.where(scene.plain_wall > 0, (scene.plain_wall < 1).float(), scene.wall_value)
    plain = scene.plain_wall > 0
    saturation = torch.where(plain, 0.0, scene.wall_saturation)
    wall = colour(scene.wall_hue, saturation, value)
    second = colour(scene.wall_hue + 0.3 * (scene.luck[:, 2] - 0.5), saturation, (value * 1.7 + 0.35) % 1.0)
    if planes.any("things"):
        count = 4
        generator = torch.Generator().manual_seed(7)
        mixer = torch.rand(8, count * 9, generator=generator).to(planes.device) * 40
        draws = ((scene.luck @ mixer) % 1.0).view(-1, count, 9)
        for x, y, w, h, shape, hue, saturation, value, ring in draws.permute(1, 2, 0):
            dx = (planes.steps - x[:, None]).abs()[:, None, :]
            dy = (planes.steps - y[:, None]).abs()[:, :, None]
            w, h = (0.02 + 0.3 * w.square())[:, None, None], (0.02 + 0.3 * h.square())[:, None, None]
            box = torch.minimum(w - dx, h - dy)
            disc = w - torch.hypot(dx, dy)
            inside = torch.where(shape[:, None, None] < 0.45, disc, box)
            inside = torch.where((ring < 0.35)[:, None, None], 0.012 - inside.abs(), inside)
            planes.add((inside * planes.size + 0.5).clamp_(0, 1) * planes.things, colour(hue, saturation - 0.3, value))
    turn = torch.deg2rad(scene.wall_gradient_angle)
    light = (turn.sin()[:, None] * (planes.steps - 0.5))[:, None, :] - (turn.cos()[:, None] * (planes.steps - 0.5))[
        :, :, None
    ]
    share = torch.where(plain, 0.0, scene.pattern.clamp_min(0))[:, None, None]
    planes.add(
        torch.ones_like(planes.r), wall, light * (planes.wall_gradient * (~plain)[:, None, None]), also=pattern * share
    )
    planes.colours.append(second)


def draw(scene: Scene, size: int) -> Tensor:
    """The images before light and camera: [B, 3, size, size], about 0 to 1."""
    planes = Planes(scene, size)
    dark, coloured = (planes.kind("dial", kind)[:, 0, 0] > 0 for kind in ("dark", "coloured"))
    value = torch.where(dark, 1 - scene.dial_value, torch.where(coloured, scene.dial_colour_value, scene.dial_value))
    dial = colour(scene.dial_hue, torch.where(coloured, scene.dial_colour_saturation, scene.dial_saturation), value)
    grey = dial @ torch.tensor([0.3, 0.59, 0.11], device=dial.device)
    hands = colour(scene.hand_hue, scene.hand_colour, against(grey, scene.hand_contrast))
    print_ = colour(scene.hand_hue, scene.hand_colour, against(grey, scene.ink_contrast))
    ink = torch.where(scene.ink_apart[:, None] > 0, print_, hands)
    marks = ink.lerp(dial, scene.mark_grey[:, None])
    other = colour(scene.wall_hue, scene.dial_saturation, (value + 0.5) % 1.0)
    pattern = wall_pattern(planes)
    if planes.any("cover"):
        along, side = _along(planes, scene.cover_angle)
        bar = torch.minimum(planes.cover / 2 - side.abs(), along - planes.cover_place)
        planes.add(
            planes.edge(bar) * (planes.cover > 0),
            colour(1 - scene.wall_hue, scene.wall_saturation, 1 - scene.wall_value),
        )
    front = len(planes.colours)
    draw_hands(planes, dial, hands)
    draw_print(planes, ink, marks)
    draw_dial(planes, dial, other, pattern)
    draw_frame(planes)
    if planes.any("absent"):
        present = 1 - planes.absent
        planes.weights[:, front : len(planes.colours)] *= present[:, None]
        planes.light *= present
        covered = planes.weights[:, : len(planes.colours)].sum(1)
        planes.left = torch.where(present > 0, planes.left, 1 - covered)
    draw_wall(planes, pattern)
    return planes.mixed()
