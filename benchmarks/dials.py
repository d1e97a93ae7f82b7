"""The built-in reader of any clock on dials that others designed, at random times; `--art DIR`, `--keep DIR`.

The dials are artwork of programs that are installed on this machine (`dial_art.py`). Each is drawn at random times,
sizes and places on a plain, gradient or noisy background, upright, and read as `predict` reads a photograph.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.dial_art import Part, compose, find_designs
from benchmarks.table import Row

DEFAULT = False  # minutes, and it needs artwork
COUNT = 200  # pictures of a design
SEED = 0
# What is drawn at random, uniformly within these ranges.
WIDTH = HEIGHT = (320, 640)  # pixels of a picture
DIAL = (0.35, 0.95)  # side of the square around a dial, in shorter sides of the picture; its place is anywhere within
GREY = (0, 255)  # of each channel of a background, and of both ends of a gradient
NOISE = (4, 40)  # standard deviation of a noisy background, in grey levels
SECOND = 0.5  # share of the pictures with a second hand, where the design has one
BACKGROUNDS = ("plain", "gradient", "noise")

BATCH = 50  # pictures that are decoded together


def background(draws: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A plain, gradient or noisy background, uint8 [height, width, 3]."""
    kind = draws.choice(BACKGROUNDS)
    first, last = draws.uniform(*GREY, (2, 3))
    colours = np.broadcast_to(first, (height, width, 3))
    if kind == "gradient":
        angle = draws.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:height, 0:width]
        along = x * np.cos(angle) + y * np.sin(angle)
        share = (along - along.min()) / max(np.ptp(along), 1)
        colours = first + (last - first) * share[..., None]
    elif kind == "noise":
        colours = colours + draws.normal(0, draws.uniform(*NOISE), (height, width, 3))
    return colours.clip(0, 255).astype(np.uint8)


def picture(draws: np.random.Generator, parts: Sequence[Part], minutes: int) -> Image.Image:
    """A dial at a time, in minutes after 12:00, somewhere in a picture."""
    width, height = int(draws.integers(*WIDTH)), int(draws.integers(*HEIGHT))
    side = int(min(width, height) * draws.uniform(*DIAL))
    place = int(draws.integers(0, width - side + 1)), int(draws.integers(0, height - side + 1))
    second = int(draws.integers(60)) if draws.random() < SECOND else None
    dial = compose(parts, minutes, second).resize((side, side), Image.Resampling.LANCZOS)
    image = Image.fromarray(background(draws, width, height))
    image.paste(dial, place, dial)
    return image


def write_pictures(folder: Path, theme: str, parts: Sequence[Part], count: int) -> list[Path]:
    """Write `HH-MM_theme_number.png` of random times into a folder; the same ones for a theme each time."""
    draws = np.random.default_rng([SEED, *theme.encode()])
    paths = []
    for number in range(count):
        minutes = int(draws.integers(720))
        path = folder / f"{minutes // 60 or 12:02d}-{minutes % 60:02d}_{theme}_{number:03d}.png"
        picture(draws, parts, minutes).save(path, compress_level=1)
        paths.append(path)
    return paths


def read(paths: Sequence[Path]) -> tuple[list[str], np.ndarray]:
    """The answers of the built-in reader, as `predict` prints them, and in minutes after 12:00."""
    from dlcourse.models.build import any_clock_reader

    reader = any_clock_reader()
    parts = [reader.predict(list(paths[start : start + BATCH])) for start in range(0, len(paths), BATCH)]
    minutes = np.concatenate([part.minutes for part in parts if part.minutes is not None])
    return [name for part in parts for name in part.names], minutes


def judged(what: str, paths: Sequence[Path], answers: Sequence[str], minutes: np.ndarray) -> Row:
    """A row of the share within one minute, and the mean error; a dial that is not found is not within a minute.

    Args:
        what: was read.
        paths: of pictures with the time in their names.
        answers, minutes: see `read`; where no clock is found, `minutes` is the guess that is not shown.
    """
    import torch

    from dlcourse.clocks.encodings import circular_error
    from dlcourse.data.clock_names import time_in
    from dlcourse.models.any_clock import NO_CLOCK

    true = torch.tensor([time_in(path.stem) for path in paths]).float()
    error = circular_error(torch.from_numpy(minutes).float().round(), true).numpy()
    found = np.array([answer != NO_CLOCK for answer in answers])
    right = (error < 1.5) & found
    more: dict[str, Any] = {
        "median": float(np.median(error)),
        "not_found": int((~found).sum()),
        "wrong": {path.name: answers[i] for i, path in enumerate(paths) if not right[i]},
    }
    kind = f"minutes mean error, median {np.median(error):g}"
    return Row(what, 100 * right.mean(), "% within 1 minute", value=float(error.mean()), kind=kind, more=more)


def rows(quick: bool, keep: str = "", *art: str) -> Iterator[Row]:
    """A row for each design, and one for all.

    Args:
        quick: two pictures of each.
        keep: folder for the pictures; empty: they are removed.
        art: folders of artwork; none: where programs install it.

    Raises:
        UserError: there is no artwork, or nothing that can draw it.
    """
    designs = find_designs(art)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        everything: list[tuple[Path, str, float]] = []
        for theme, parts in designs.items():
            paths = write_pictures(folder, theme, parts, 2 if quick else COUNT)
            answers, minutes = read(paths)
            everything += zip(paths, answers, minutes, strict=True)
            yield judged(theme, paths, answers, minutes)
        paths, answers, minutes = zip(*everything, strict=True)
        yield judged(f"all {len(designs)} designs", paths, answers, np.array(minutes))
