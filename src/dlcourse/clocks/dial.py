"""Dials as seen: where a clock lies in an image, how it is unrolled, and the time from the angles of its hands.

A pose is 8 numbers: the centre (x, y), the shape (a symmetric matrix: xx, xy, yy) and the bend (x, y), in image sides,
and the finder's score. The point v of the dial's plane (in radii, x right, y down, upright as seen) is at
centre + shape v / (1 + bend v).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcourse.clocks.encodings import MINUTES, circular_difference, table_on, time_labels
from dlcourse.clocks.scene import Scene
from dlcourse.clocks.varied.scene import pose, twelve

POSE = 8
INNER, OUTER = 0.06, 1.12  # radii between which a dial is unrolled


def pyramid(images: Tensor) -> list[Tensor]:
    """The images [N, 3, H, W] and halves of them, down to 32 pixels."""
    levels = [images]
    while min(levels[-1].shape[2:]) >= 64:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def sample(levels: list[Tensor], places: Tensor, step: Tensor) -> Tensor:
    """Pixels of images at places, from the level of the pyramid that fits.

    Args:
        levels: of the images [N, 3, S, S], see `pyramid`.
        places: [N, h, w, 2] in image sides, 0 to 1.
        step: distance of neighbouring places in image sides [N].

    Returns:
        [N, 3, h, w]; places outside an image take its edge.
    """
    wanted = (step * levels[0].shape[-1]).clamp_min(1e-6).log2().clamp(0, len(levels) - 1).round().long()
    if torch.compiler.is_exporting():  # an exported program cannot choose levels by their values: sample all of them
        found = _sampled(levels[0], places)
        for number, level in enumerate(levels[1:], 1):
            found = torch.where((wanted == number)[:, None, None, None], _sampled(level, places), found)
        return found
    found = torch.empty(len(places), 3, *places.shape[1:3], device=places.device, dtype=levels[0].dtype)
    for number in wanted.unique().tolist():
        chosen = wanted == number
        found[chosen] = _sampled(levels[number][chosen], places[chosen])
    return found


def _sampled(images: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(images, places * 2 - 1, padding_mode="border", align_corners=False)


def chunks(batch: Tensor, size: int) -> Sequence[Tensor]:
    """Parts of at most `size` rows, to save memory; in an exported program, whose batch has any size, the whole."""
    return [batch] if torch.compiler.is_exporting() else batch.split(size)


def window(centre: Tensor, half: Tensor, size: int) -> Tensor:
    """Places [N, size, size, 2] of an upright square: centre [N, 2] and half its side [N] in image sides."""
    steps = (torch.arange(size, device=centre.device) + 0.5) * (2 / size) - 1
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)
    return centre[:, None, None] + half[:, None, None, None] * grid


def seen_at(pose: Tensor, points: Tensor) -> Tensor:
    """Where points v [..., 2] of the dial's plane are seen: pose [N, POSE] to [N, ..., 2] in image sides."""
    across, down = points[..., 0], points[..., 1]
    x, y, xx, xy, yy, bend_x, bend_y = (part.view(-1, *[1] * across.ndim) for part in pose[:, :7].unbind(1))
    below = (1 + bend_x * across + bend_y * down).clamp_min(0.1)
    return torch.stack([x + (xx * across + xy * down) / below, y + (xy * across + yy * down) / below], -1)


def unrolled(angles: int, radii: int, device: torch.device | str = "cpu") -> Tensor:
    """Points v [radii, angles, 2] around a dial: the first column is up, angles go clockwise."""
    turn = torch.arange(angles, device=device) * (2 * torch.pi / angles)
    around = torch.stack([turn.sin(), -turn.cos()], -1)
    return torch.linspace(INNER, OUTER, radii, device=device)[:, None, None] * around


def radius(pose: Tensor) -> Tensor:
    """Mean radius of the dial in image sides [N]."""
    return (pose[:, 2] * pose[:, 4] - pose[:, 3].square()).clamp_min(1e-8).sqrt()


def labels_of(scene: Scene) -> Tensor:
    """What an image of a varied scene shows, float32 [N, 3 + POSE]: hour, minute, degrees of twelve, and the pose.

    The last number is 0 for an image without a clock, else 1.
    """
    place = pose(scene)
    shape = place.shape.flatten(1)[:, [0, 1, 3]]
    time = time_labels(scene.minutes)
    return torch.cat([time, twelve(scene)[:, None], place.centre, shape, place.bend, 1 - scene.absent[:, None]], 1)


def course_labels_of(scene: Scene) -> Tensor:
    """The same for the course's clock, which lies on a floor: its far side is up, but for the camera's roll."""
    roll, tilt = torch.deg2rad(scene.roll), torch.deg2rad(scene.tilt)
    away = torch.stack([-roll.sin(), -roll.cos()], -1)
    squeeze = (1 - tilt.cos())[:, None, None] * away[:, :, None] * away[:, None, :]
    shape = (scene.zoom[:, None, None] * (torch.eye(2) - squeeze)).flatten(1)[:, [0, 1, 3]]
    bend = (scene.zoom / scene.focal * tilt.sin())[:, None] * away
    time = time_labels(scene.minutes)
    centre = torch.stack([scene.centre_x, scene.centre_y], 1)
    return torch.cat([time, (scene.azimuth - scene.roll)[:, None], centre, shape, bend, torch.ones(len(time), 1)], 1)


class DialAngles:
    """Encoding of a time as three angles seen on a dial: of twelve, of the hour hand and of the minute hand.

    Each is a distribution over `bins` angles. The distribution over the 720 times sums over all ways in which the dial
    may be turned, so a dial without numerals, hands of equal length or a dial upside down give several likely times.

    Raises:
        ValueError: an argument is out of range, or does not fit the data.
    """

    HOUR_SIGMA, MINUTE_SIGMA, TWELVE_SIGMA = 1.2, 0.8, 1.2  # softness of the targets in bins

    def __init__(self, bins: int = 120):
        if bins % 60:
            raise ValueError(f"bins={bins} does not divide into 60 minutes: use 120")
        self.bins = bins
        self.outputs: tuple[int, ...] = (bins, bins, bins)
        times = torch.arange(MINUTES)
        self.hour_at, self.minute_at = times * bins / MINUTES, (times % 60) * bins / 60
        self.softness = torch.tensor([self.TWELVE_SIGMA, self.HOUR_SIGMA, self.MINUTE_SIGMA])[:, None]

    def targets(self, minutes_N: Tensor, turn_N: Tensor) -> Tensor:
        """Soft targets [N, 3, bins] for times in minutes and the angle of twelve in degrees."""
        twelve = turn_N * (self.bins / 360)
        places = torch.stack(
            [twelve, twelve + minutes_N * self.bins / MINUTES, twelve + (minutes_N % 60) * self.bins / 60]
        )
        bins = torch.arange(self.bins, device=turn_N.device)
        away = circular_difference(bins, places.T[:, :, None], self.bins) / table_on(self, "softness", turn_N.device)
        weight = torch.exp(-0.5 * away.square())
        return weight / weight.sum(2, keepdim=True)

    def angle_loss(self, output_NK: Tensor, minutes_N: Tensor, turn_N: Tensor) -> Tensor:
        """Cross-entropy of the three angles, summed; each image's own [N]."""
        logits = output_NK.view(-1, 3, self.bins).log_softmax(2)
        return -(self.targets(minutes_N, turn_N) * logits).sum((1, 2))

    def encode(self, minutes_N: Tensor) -> Tensor:
        """The output of a perfect net for upright dials [N, 3 * bins]."""
        return self.targets(minutes_N, torch.zeros_like(minutes_N, dtype=torch.float)).clamp_min(1e-9).log().flatten(1)

    def loss(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        """Negative log probability of the true times, a scalar."""
        chances = self.probabilities(output_NK)
        return -chances[torch.arange(len(chances), device=chances.device), minutes_N].clamp_min(1e-9).log().mean()

    def scores(self, output_NK: Tensor) -> Tensor:
        """Log probability [N, bins, 720] of every time for every angle of twelve, up to a constant."""
        twelve, hour, minute = output_NK.float().view(-1, 3, self.bins).log_softmax(2).unbind(1)
        turns = torch.arange(self.bins, device=output_NK.device)[:, None]
        found = twelve[:, :, None].expand(-1, -1, MINUTES).clone()
        for logits, name in ((hour, "hour_at"), (minute, "minute_at")):
            at = table_on(self, name, output_NK.device)
            low = at.floor().long()
            share = (at - low).float()
            first, second = logits[:, (turns + low) % self.bins], logits[:, (turns + low + 1) % self.bins]
            found += torch.lerp(first, second, share)
        return found

    def probabilities(self, output_NK: Tensor) -> Tensor:
        """A distribution over the times [N, 720]."""
        parts = [self.scores(part).logsumexp(1).softmax(1) for part in chunks(output_NK, 32)]
        return torch.cat(parts)

    def decode(self, output_NK: Tensor) -> Tensor:
        """The likeliest time of each image in minutes [N]."""
        return self.probabilities(output_NK).argmax(1).float()

    def turn(self, output_NK: Tensor, minutes_N: Tensor) -> Tensor:
        """The likeliest angle of twelve in degrees [N], given the times."""
        whole = minutes_N.round().long() % MINUTES
        parts = [
            self.scores(part).gather(2, at[:, None, None].expand(-1, self.bins, 1))[..., 0].argmax(1)
            * (360 / self.bins)
            for part, at in zip(chunks(output_NK, 32), chunks(whole, 32), strict=True)
        ]
        return torch.cat(parts)
