"""A run's plots, small enough for a page of fifty runs: inline, or beside the page if there are too many."""

import base64
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from PIL import Image

from dlcourse.runs.files import replaced

# The most informative plots first; the others follow by name.
TELLING = (
    "curves",
    "confusion",
    "errors",
    "per_class",
    "worst",
    "map",
    "learning",
    "sweep",
    "confused_pairs",
)


def pictures_of(folder: Path, most: int) -> list[Path]:
    """The paths of a run's plots, the most informative first, at most `most`."""
    found = sorted((folder / "plots").glob("*.png"))
    order = {name: place for place, name in enumerate(TELLING)}
    return sorted(found, key=lambda path: (order.get(path.stem, len(order)), path.stem))[:most]


def shrink(path: Path, width: int) -> bytes | None:
    """An image as WebP, at most `width` pixels wide; None where it cannot be decoded."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # PIL has a SyntaxError for a broken PNG
        return None
    if small.width > width:
        small = small.resize((width, max(1, round(small.height * width / small.width))), Image.Resampling.BOX)
    into = io.BytesIO()
    small.save(into, "WEBP", quality=70, method=0)  # the quickest method, a sixth larger than the slowest
    return into.getvalue()


class Album:
    """The images of a page, each once, by path."""

    def __init__(self, paths: Iterable[Path], width: int):
        unique = list(dict.fromkeys(paths))
        with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:  # PIL releases the interpreter lock
            self.data = {
                path: data
                for path, data in zip(unique, pool.map(lambda p: shrink(p, width), unique), strict=True)
                if data is not None
            }

    @property
    def bytes(self) -> int:
        """Their total size as base64, in bytes."""
        return sum(4 * ((len(data) + 2) // 3) for data in self.data.values())

    def sources(self, beside: Path | None) -> dict[Path, str]:
        """The `src` of each image: the data itself, or a file that is written to `beside`."""
        if beside is None:
            return {p: f"data:image/webp;base64,{base64.b64encode(d).decode()}" for p, d in self.data.items()}
        beside.mkdir(parents=True, exist_ok=True)
        found = {}
        for path, data in self.data.items():
            name = f"{sha256(data).hexdigest()[:16]}.webp"
            with replaced(beside / name) as part:
                part.write_bytes(data)
            found[path] = f"{beside.name}/{name}"
        return found
