"""From a scene to pixels: the parameters of each image, which `render` broadcasts over its planes."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from dlcourse.clocks.geometry import Camera, compass
from dlcourse.clocks.scene import Scene
from dlcourse.clocks.textures import DIAL_VARIANTS, DIAL_ZOOMS, WOOD_EXTENT, WOOD_VARIANTS, Atlas

# The linear quantities and their rows. The first divides those up to the glint; light is smooth enough to be linear in
# the image itself.
ROWS = {
    name: place
    for place, name in enumerate(
        (
            "denominator",
            "dial_x",  # dial's plane, in dial radii
            "foot_x",  # plane of the frame's foot, in its radii
            "dial_y",
            "foot_y",
            "ink_x",  # atlas coordinates on the dial
            "ink_y",
            "wood_x",  # atlas coordinates on the planks
            "wood_y",
            "hour_along",  # pixels from the hand's middle along and across it
            "hour_across",
            "minute_along",
            "minute_across",
            "glint",  # grey levels of the white arc
            "inner_light",  # grey levels of the frame's slopes
            "outer_light",
            "line",  # grey levels of the light line on the frame
            "shadow",  # share of light lost on the wood
            "dial_light",  # grey levels of the dial
            "wood_light",  # grey levels of the planks
        )
    )
}
DIAL_TEXTURE = 1.05  # squared dial radius up to which the texture is the dial's, beyond it the planks'
RIM = 0.8  # squared dial radius where the rim's shade on the dial begins
_SPECKS = 5
_REFERENCE_SIZE = 150


@dataclass(frozen=True)
class Parameters:
    """Parameters of N images, float32 unless noted; [N, 1, 1] if all pixels of an image share one value."""

    rows: Tensor  # [N, len(ROWS), 3]: coefficients of column, row and 1
    wood_contrast: Tensor
    shadow_slope: Tensor
    shadow_start: Tensor
    slope_start: Tensor
    slope_sharpness: Tensor
    inner_drop: Tensor
    line_start: Tensor
    line_sharpness: Tensor
    foot_sharpness: Tensor
    ink: Tensor
    rim_shade: Tensor
    hand_extent: Tensor  # [N, 4, 1, 1]: half length, half width of the hour, then the minute hand, in pixels + 0.5
    hand_taper: Tensor  # [N, 2, 1, 1]: decrease of a hand's half width for each pixel along it
    hour_light: Tensor
    minute_light: Tensor
    dial_sharpness: Tensor
    lamp: Tensor  # [N, 6]: x, y, 1 / core^2, strength, 1 / haze^2, haze
    speck_index: Tensor  # int64 [N, 4 * specks]: places in the flat image
    speck_light: Tensor  # [N, 4 * specks]: grey levels added there
    blur: Tensor
    edges: Tensor  # [N, 4]: left, right, top, bottom
    noise: Tensor
    veil: Tensor

    def __getitem__(self, images: slice) -> Parameters:
        return Parameters(**{field.name: getattr(self, field.name)[images] for field in fields(self)})

    def to(self, device: torch.device) -> Parameters:
        """The same parameters on another device."""
        return Parameters(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def picture_parameters(scene: Scene, size: int, atlas: Atlas) -> Parameters:
    """The parameters of a scene's images of `size` pixels a side; scene and atlas are on the CPU."""
    camera = Camera.of(scene, size)
    radius = scene.zoom.double() * size  # pixels, near the dial's centre
    foot_radius = 1 + scene.frame_width.double()
    sharpness = radius / 2  # an edge in squared radii is a ramp one pixel wide
    slope = scene.frame_slope.double()
    # Other sizes look like a scaled 150-pixel image: small ones are less blurred.
    relative = min(1.0, size / _REFERENCE_SIZE)
    speck_index, speck_light = _specks(scene, camera)

    def shared(values: Tensor) -> Tensor:
        return values.float()[:, None, None]

    half_lengths = (torch.stack([scene.hour_length, scene.minute_length], -1) + scene.tail[:, None]) / 2
    half_widths = torch.stack([scene.hour_width, scene.minute_width], -1) / 2
    extent = torch.stack([half_lengths, half_widths], -1) * radius[:, None, None]
    width = scene.shadow_width.double() * 2
    return Parameters(
        rows=_rows(scene, camera, atlas).float(),
        wood_contrast=shared(scene.wood_contrast),
        shadow_slope=shared(-1 / width),
        shadow_start=shared(1 / width + 1),
        slope_start=shared(-(1 + slope).square() * sharpness / 1.5),
        slope_sharpness=shared(sharpness / 1.5),
        inner_drop=shared(-5 / slope),
        line_start=shared(-(0.78 + 0.12 * scene.luck[:, 2].double()) * radius / 3),
        line_sharpness=shared(radius / 3),
        foot_sharpness=shared(sharpness * foot_radius),
        ink=shared(scene.ink),
        rim_shade=shared(scene.rim_shade * scene.dial_brightness / 0.04),
        hand_extent=extent.flatten(1).add(0.5).float()[:, :, None, None],
        hand_taper=(scene.hand_taper[:, None] * half_widths / half_lengths).float()[:, :, None, None],
        hour_light=shared(scene.hand_brightness),
        minute_light=shared(scene.hand_brightness + scene.minute_difference),
        dial_sharpness=shared(sharpness),
        lamp=_lamp(scene),
        speck_index=speck_index,
        speck_light=speck_light,
        blur=shared(scene.blur * relative**2),
        edges=torch.stack([scene.edge_left, scene.edge_right, scene.edge_top, scene.edge_bottom], -1) * relative,
        noise=shared(scene.noise),
        veil=shared(scene.veil),
    )


def _rows(scene: Scene, camera: Camera, atlas: Atlas) -> Tensor:
    """Coefficients [N, len(ROWS), 3] in the order of ROWS."""
    size, count = camera.size, len(scene)
    radius = scene.zoom.double() * size
    zero, one = torch.zeros(count, dtype=torch.float64), torch.ones(count, dtype=torch.float64)

    zoom = torch.bucketize(scene.zoom * (1 - 1e-6), torch.tensor(DIAL_ZOOMS)).clamp_max(len(DIAL_ZOOMS) - 1)
    tile = zoom * DIAL_VARIANTS + (scene.dial_texture * DIAL_VARIANTS).long().clamp(0, DIAL_VARIANTS - 1)
    sin, cos = compass(scene.azimuth)  # the dial's 12; its 3 is at (cos, -sin)
    unit = atlas.dial_unit[tile].double()
    ink_x = camera.plane_row(0.0, cos * unit[:, 0], -sin * unit[:, 0], atlas.dial_x[tile].double())
    ink_y = camera.plane_row(0.0, -sin * unit[:, 1], -cos * unit[:, 1], atlas.dial_y[tile].double())

    drop, foot = -scene.frame_drop.double(), 1 / (1 + scene.frame_width.double())
    denominator = camera.denominator()
    hands = [
        camera.plane_row(scene.hand_height.double(), x * radius, y * radius, shift * radius)
        for angle, length in ((scene.hour_angle, scene.hour_length), (scene.minute_angle, scene.minute_length))
        for x, y, shift in _hand_axes(scene.azimuth.double() + angle, (length - scene.tail).double() / 2)
    ]

    def light(angle: Tensor, amount: Tensor, level: Tensor) -> Tensor:
        # `amount` more than `level` at the dial's rim on that side.
        x, y = compass(angle)
        return camera.image_row(x * amount * camera.distance, -y * amount * camera.distance / camera.cos_tilt, level)

    gradient_x, gradient_y = compass(scene.wood_gradient_angle)
    tilt_light = scene.wood_gradient.double() * 2 * scene.focal.double()
    glint_x, glint_y = compass(scene.glint_angle)
    glint_edge = torch.deg2rad(scene.glint_spread.double()).cos()
    # Four times the glint, since the ramp product it multiplies peaks at a quarter; nothing beyond its spread.
    glint = 4 * scene.glint.double() / (1 - glint_edge)
    line = scene.gloss_line.double()
    rows = (
        denominator,
        camera.plane_row(0.0, one, zero, zero),
        camera.plane_row(drop, foot, zero, -scene.frame_lean.double() * foot),
        camera.plane_row(0.0, zero, one, zero),
        camera.plane_row(drop, zero, foot, zero),
        ink_x,
        ink_y,
        *_wood_rows(scene, camera, atlas, denominator),
        *hands,
        camera.plane_row(0.0, glint_x * glint, glint_y * glint, -glint_edge * glint),
        light(scene.frame_gloss_angle, scene.frame_gloss.double(), scene.frame_inner.double() + 5 / scene.frame_slope),
        light(scene.get("frame_light_angle", 180.0), scene.frame_light.double(), scene.frame_outer.double()),
        light(scene.gloss_line_angle, line * 3, line * -2),
        light(scene.shadow_angle, scene.shadow_strength.double() * 0.8, scene.shadow_strength.double() * 0.2),
        light(scene.dial_gradient_angle, scene.dial_gradient.double(), scene.dial_brightness.double()),
        camera.image_row(gradient_x * tilt_light, -gradient_y * tilt_light, scene.wood_brightness.double()),
    )
    return torch.stack(rows, 1)


def _hand_axes(angle: Tensor, middle: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """x, y and constant of the distances along a hand from its middle and across it."""
    x, y = compass(angle)
    return [(x, y, -middle), (y, -x, torch.zeros_like(middle))]


def _wood_rows(scene: Scene, camera: Camera, atlas: Atlas, denominator: Tensor) -> list[Tensor]:
    """Atlas coordinates on the planks, shifted and scaled if needed so that the image lies within the tile."""
    x, y = compass(scene.azimuth + scene.wood_angle)
    drop = -scene.frame_drop.double()
    zero = torch.zeros_like(x)
    last = float(camera.size - 1)
    corners = torch.tensor([[0.0, 0.0, 1.0], [last, 0.0, 1.0], [0.0, last, 1.0], [last, last, 1.0]]).double().T
    rows = [camera.plane_row(drop, x, y, zero), camera.plane_row(drop, y, -x, zero)]
    spots = torch.stack([(row @ corners) / (denominator @ corners) for row in rows], 1)  # [N, 2, 4]
    low, high = spots.amin(-1), spots.amax(-1)
    room = WOOD_EXTENT * 0.99
    scale = torch.minimum(1 / scene.wood_scale.double(), (2 * room / (high - low)).amin(-1))
    shift = torch.stack([scene.wood_x, scene.wood_y], -1).double()
    shift = shift.clamp(-room - low * scale[:, None], room - high * scale[:, None])
    tile = (scene.wood_texture * WOOD_VARIANTS).long().clamp(0, WOOD_VARIANTS - 1)
    unit = atlas.wood_unit[tile].double()
    middles = torch.stack([atlas.wood_x[tile], atlas.wood_y[tile]], -1).double()
    return [
        row * (scale * unit[:, axis])[:, None]
        + denominator * (shift[:, axis] * unit[:, axis] + middles[:, axis])[:, None]
        for axis, row in enumerate(rows)
    ]


def _lamp(scene: Scene) -> Tensor:
    """Place [image sides] and size of the reflection, [N, 6]."""
    flat = torch.deg2rad(scene.tilt).cos()
    return torch.stack(
        [
            scene.centre_x + scene.zoom * scene.reflection_x,
            scene.centre_y - scene.zoom * scene.reflection_y * flat,
            1 / scene.reflection_size.square(),
            scene.reflection_strength,
            1 / scene.haze_size.square(),
            scene.haze,
        ],
        -1,
    )


def _specks(scene: Scene, camera: Camera) -> tuple[Tensor, Tensor]:
    """Tiny bright spots on the frame: flat pixel indices and grey levels [N, 4 * _SPECKS], four pixels a spot."""
    size = camera.size
    places = torch.arange(_SPECKS).double()
    # Fractional parts of multiples of a random number serve as further random numbers.
    turn = (scene.luck[:, 3:4].double() * (37.0 + 11.0 * places)) % 1
    depth = (scene.luck[:, 4:5].double() * (23.0 + 7.0 * places)) % 1
    amount = (scene.luck[:, 5:6].double() * (19.0 + 13.0 * places)) % 1
    spread, middle = scene.get("speck_spread", 1.0)[:, None], scene.get("speck_angle", 180.0)[:, None]
    x, y = compass(middle + (turn - 0.5) * 360 * spread)
    distance = 1 + (0.1 + 0.75 * depth) * scene.frame_width.double()[:, None]
    spots = camera.project(torch.stack([x * distance, y * distance], -1))
    corner = spots.floor()
    share = spots - corner
    indices, lights = [], []
    for right in (0, 1):
        for down in (0, 1):
            column, row = (corner[..., 0] + right).long(), (corner[..., 1] + down).long()
            weight = (share[..., 0] - 1 + right).abs() * (share[..., 1] - 1 + down).abs()
            seen = (column >= 0) & (column < size) & (row >= 0) & (row < size)
            indices.append(row.clamp(0, size - 1) * size + column.clamp(0, size - 1))
            # Most specks are faint, a few glare.
            lights.append(weight * seen * amount**4 * scene.speck.double()[:, None])
    return torch.cat(indices, -1), torch.cat(lights, -1).float()
