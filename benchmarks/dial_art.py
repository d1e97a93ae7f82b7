"""Dials that others designed, as layers: artwork of installed programs, which this project neither ships nor downloads.

Four layouts are known; every folder that is given is searched for them, with its subfolders.

- Plasma's desktop themes: widgets/clock.svg or .svgz with elements ClockFace, HourHand, MinuteHand, SecondHand. Hands
  are drawn towards 6 o'clock and turn around a hint, or around the middle of their round upper end.
- A folder with clock-face, clock-hour-hand and clock-minute-hand, and if it likes others of `LAYERS`; as .svg, with
  hands that start at the origin towards 3 o'clock (cairo-clock, cairo-dock), or as .png, squares of one size
  with hands from the centre towards 12 o'clock.
- The graphics of Lomiri's clock.
- Drawings of Openclipart whose hands are elements of their own (`CLIPS`).

Debian has them in plasma-framework, materia-kde, cairo-dock-clock-plug-in, lomiri-clock-app and openclipart-svg.
"""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from dlcourse.errors import UserError

FOLDERS = (
    "/usr/share/plasma/desktoptheme",
    "/usr/share/cairo-dock/plug-ins/clock/themes",
    "/usr/share/lomiri-clock-app/graphics",
    "/usr/share/openclipart/svg/signs_and_symbols/clocks",
)
SIDE = 720  # pixels of a layer
ROUGH = 2000  # pixels in which an element's bounds are looked for
UNDRAWN = {"defs", "style", "linearGradient", "radialGradient", "clipPath", "filter", "mask", "symbol", "pattern"}
LAYERS = {  # of a folder, from the lowest; with what turns them
    "clock-drop-shadow": "",
    "clock-face": "",
    "clock-marks": "",
    "clock-hour-hand": "hour",
    "clock-minute-hand": "minute",
    "clock-second-hand": "second",
    "clock-face-shadow": "",
    "clock-glass": "",
    "clock-frame": "",
}
LOMIRI = {
    "Inner_Clock_Texture": "",
    "Minute_Adjust_Cirlce": "",
    "Minute_Hand": "minute",
    "Hour_Hand": "hour",
    "Second_Hand": "second",
    "Knob": "",
}
PLASMA_HANDS = {"HourHand": "hour", "MinuteHand": "minute", "SecondHand": "second"}
TWINS = {"Materia-Color"}  # the dial of another theme


@dataclass(frozen=True)
class Part:
    """A layer of a dial.

    Args:
        file: an SVG or PNG.
        turns: what turns it: `hour`, `minute`, `second`, or nothing.
        keep: ids of the elements of an SVG that belong to it; none: all.
        drop: ids of elements that do not.
        pivot: its centre, around which it turns, in units of the file; None: the middle of a PNG.
        reach: half the side of the square around the pivot that is drawn, in units of the file.
        drawn: where it is drawn, in degrees clockwise from 12 o'clock.
    """

    file: Path
    turns: str = ""
    keep: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    pivot: tuple[float, float] | None = None
    reach: float = 0
    drawn: float = 0

    @cached_property
    def image(self) -> Image.Image:
        """The layer, RGBA of `SIDE` pixels, with the pivot in its middle."""
        if self.pivot is None:
            with Image.open(self.file) as opened:
                return opened.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        return draw(read_svg(self.file), self.keep, self.drop, self.pivot, self.reach, SIDE)


@dataclass(frozen=True)
class Hand:
    """A hand of a drawing: the ids of its elements, the pivot in the drawing's units, and `drawn` as in `Part`."""

    ids: tuple[str, ...]
    pivot: tuple[float, float]
    drawn: float


@dataclass(frozen=True)
class Clip:
    """A drawing of a clock.

    Args:
        centre, reach: of the dial, in the drawing's units, as in `Part`.
        hour, minute, second: its hands.
        top: ids of the elements above the hands, around `centre`.
        drop: ids of the elements to leave out.
    """

    centre: tuple[float, float]
    reach: float
    hour: Hand
    minute: Hand
    second: Hand | None = None
    top: tuple[str, ...] = ()
    drop: tuple[str, ...] = field(default=())


CLIPS = {
    "alarm_clock_mike_powers_": Clip(
        (234.3, 367.3),
        372,
        Hand(("g24768",), (234.3, 367.3), -25.3),
        Hand(("g24776",), (234.3, 367.3), 75.3),
        top=("path24774",),
    ),
    "analog_clock_jonathan_di_01": Clip(
        (126, 127),
        112,
        Hand(("path13535",), (125.3, 128.4), 37.6),
        Hand(("path13537",), (125.3, 128.4), -34.8),
        top=("path13483",),
    ),
    "analogue_clock_01": Clip(
        (29.2, 29.6), 34, Hand(("path879",), (27.8, 30.8), 75.4), Hand(("path878",), (27.8, 30.8), 30.2)
    ),
    "clock03": Clip(
        (250, 246), 250, Hand(("g619",), (249.8, 244), 90), Hand(("g616",), (249, 244), 0), top=("path555", "path556")
    ),
    "modern_clock_chris_kemps_01": Clip(
        (103.6, 103.6),
        107,
        Hand(("path915",), (103.5, 103.6), -32.7),
        Hand(("path916",), (103.5, 103.6), 28.9),
        Hand(("path919",), (103.5, 104.2), 84.2),
    ),
    "orologio_da_parete_archi_01": Clip(
        (68.3, 68.3),
        68.5,
        Hand(("path96", "path98"), (67.6, 68.1), 218.4),
        Hand(("path92", "path94"), (68.3, 68.2), 0.2),
        Hand(("path100", "path102"), (68, 68.2), 112.6),
        top=("path111", "path118", "path131"),
    ),
}


def find_designs(folders: Sequence[str]) -> dict[str, list[Part]]:
    """The layers, from the lowest, of every dial in folders; without folders, in `FOLDERS`.

    Raises:
        UserError: nothing is found.
    """
    found: dict[str, list[Part]] = {}
    for folder in map(Path, folders or FOLDERS):
        for path in sorted(folder.rglob("*")):
            found |= design_at(path)
    if not found:
        raise UserError(
            f"no clock artwork in {', '.join(folders or FOLDERS)}: install Debian's plasma-framework, materia-kde, "
            "cairo-dock-clock-plug-in, lomiri-clock-app or openclipart-svg, or pass --art FOLDER with such files"
        )
    return found


def design_at(path: Path) -> dict[str, list[Part]]:
    """The dial whose main file this is, by its name; none for any other file."""
    stem, _, kind = path.name.partition(".")
    if path.parent.name == "widgets" and path.name in ("clock.svg", "clock.svgz"):
        theme = path.parents[1].name
        return {} if theme in TWINS else {f"plasma-{theme}": plasma(path)}
    if stem == "clock-hour-hand" and kind in ("svg", "png"):
        return {f"layers-{path.parent.name}": layers(path.parent, kind)}
    if path.name.startswith("Inner_Clock_Texture"):
        parts = [(path.with_name(path.name.replace("Inner_Clock_Texture", name)), LOMIRI[name]) for name in LOMIRI]
        return {"lomiri": [Part(file, turns) for file, turns in parts if file.exists()]}
    if stem in CLIPS and kind == "svg":
        return {f"clip-{stem.strip('_').replace('_', '-')}": clip(path, CLIPS[stem])}
    return {}


def layers(folder: Path, kind: str) -> list[Part]:
    """A folder with a file for each layer."""
    parts = []
    for name, turns in LAYERS.items():
        file = folder / f"{name}.{kind}"
        if not file.exists():
            continue
        if kind == "png":
            parts.append(Part(file, turns))
        else:
            half = float(read_svg(file).get("width", "100").rstrip("px")) / 2
            parts.append(Part(file, turns, pivot=(0, 0) if turns else (half, half), reach=half, drawn=90))
    return parts


def clip(file: Path, known: Clip) -> list[Part]:
    """A drawing: all but the hands, each hand, and what lies above them."""
    hands = {"hour": known.hour, "minute": known.minute, "second": known.second}
    there = {turns: hand for turns, hand in hands.items() if hand is not None}
    drop = {name for hand in there.values() for name in hand.ids} | set(known.top) | set(known.drop)
    parts = [Part(file, drop=frozenset(drop), pivot=known.centre, reach=known.reach)]
    for turns, hand in there.items():
        parts.append(Part(file, turns, frozenset(hand.ids), frozenset(), hand.pivot, known.reach, hand.drawn))
    if known.top:
        parts.append(Part(file, keep=frozenset(known.top), pivot=known.hour.pivot, reach=known.reach))
    return parts


def plasma(file: Path) -> list[Part]:
    """A Plasma theme, put together as its analog clock does; without shadows of the hands."""
    tree = read_svg(file)
    places = {name: bounds(tree, name) for name in ("ClockFace", *PLASMA_HANDS, "HandCenterScrew", "Glass")}
    face = places["ClockFace"]
    reach = 0 if face is None else 1.02 * max(face[2] - face[0], face[3] - face[1]) / 2
    parts = []
    for name, place in places.items():
        if place is None:
            continue
        left, top, right, bottom = place
        turns, pivot = PLASMA_HANDS.get(name, ""), ((left + right) / 2, (top + bottom) / 2)
        if turns:
            pivot = hint(tree, name) or (pivot[0], top + (right - left) / 2)
        parts.append(Part(file, turns, frozenset([name]), frozenset(), pivot, reach, 180))
    return parts


def hint(tree: ElementTree.Element, hand: str) -> tuple[float, float] | None:
    """The centre of the circle by which a Plasma theme says where a hand turns; None without one."""
    circle = next((e for e in tree.iter() if e.get("id") == f"hint-{hand.lower()}-rotation-center-offset"), None)
    x, y = ("", "") if circle is None else (circle.get("cx", ""), circle.get("cy", ""))
    return (float(x), float(y)) if x and y else None


def read_svg(file: Path) -> ElementTree.Element:
    """The root of an SVG, which may be compressed."""
    content = file.read_bytes()
    return ElementTree.fromstring(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)


def bounds(tree: ElementTree.Element, name: str) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of an element in units of its file; None where it is not there or invisible."""
    if all(element.get("id") != name for element in tree.iter()):
        return None
    side = float(tree.get("width", "200").rstrip("px"))
    drawn = draw(tree, {name}, (), (side / 2, side / 2), 1.5 * side, ROUGH)
    box = drawn.getchannel("A").getbbox()
    if box is None:
        return None
    left, top, right, bottom = (value * 3 * side / ROUGH - side for value in box)
    return left, top, right, bottom


def draw(
    tree: ElementTree.Element,
    keep: Collection[str],
    drop: Collection[str],
    centre: tuple[float, float],
    reach: float,
    pixels: int,
) -> Image.Image:
    """Some elements of an SVG as RGBA.

    Args:
        tree: its root, which is not changed.
        keep, drop: ids, as in `Part`.
        centre: of the picture, in units of the file.
        reach: half the picture's side, in the same units.
        pixels: the picture's side.
    """
    root = ElementTree.fromstring(ElementTree.tostring(tree))
    only(root, keep, drop)
    for name in ("x", "y", "preserveAspectRatio"):
        root.attrib.pop(name, None)
    x, y = (value - reach for value in centre)
    root.attrib |= {"viewBox": f"{x} {y} {2 * reach} {2 * reach}", "width": str(pixels), "height": str(pixels)}
    return Image.open(io.BytesIO(as_png(ElementTree.tostring(root)))).convert("RGBA")


def only(element: ElementTree.Element, keep: Collection[str], drop: Collection[str]) -> None:
    """Remove elements below one, not definitions.

    Args:
        element: whose children are looked at, and theirs.
        keep: ids of the elements that stay, with what is within them; empty: all stay.
        drop: ids of those that are removed.
    """
    for child in list(element):
        name = child.get("id", "")
        if name in drop:
            element.remove(child)
        elif name not in keep and str(child.tag).rpartition("}")[2] not in UNDRAWN:
            only(child, keep, drop)
            if keep and not _wanted(child, keep):
                element.remove(child)


def _wanted(element: ElementTree.Element, keep: Collection[str]) -> bool:
    return any(below.get("id") in keep for below in element.iter())


def as_png(svg: bytes) -> bytes:
    """An SVG drawn by librsvg's command, or by cairosvg.

    Raises:
        UserError: neither is installed, or the file cannot be drawn.
    """
    if (command := shutil.which("rsvg-convert")) is not None:
        done = subprocess.run([command, "--unlimited"], input=svg, capture_output=True, check=False)
        if done.returncode:
            raise UserError(f"rsvg-convert failed: {done.stderr.decode(errors='replace').strip()[-200:]}")
        return done.stdout
    try:
        import cairosvg
    except ImportError:
        raise UserError(
            "SVG artwork needs rsvg-convert (Debian's librsvg2-bin) or the Python package cairosvg: install one"
        ) from None
    return cairosvg.svg2png(bytestring=svg)


def compose(parts: Iterable[Part], minutes: int, second: int | None = None) -> Image.Image:
    """A dial at a time, RGBA of `SIDE` pixels.

    Args:
        parts: of a design.
        minutes: of the dial, 0 to 719; the minute hand stands on the minute, and the hour hand moves with it.
        second: where a second hand stands, 0 to 59; None: there is none.
    """
    turned = {
        "": None,
        "hour": minutes / 2,
        "minute": minutes % 60 * 6,
        "second": None if second is None else second * 6,
    }
    dial = Image.new("RGBA", (SIDE, SIDE))
    for part in parts:
        angle = turned[part.turns]
        if not part.turns:
            dial.alpha_composite(part.image)
        elif angle is not None:
            dial.alpha_composite(part.image.rotate(part.drawn - angle, Image.Resampling.BICUBIC))
    return dial
