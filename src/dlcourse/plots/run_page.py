"""index.html: a run as one self-contained page, with its conclusion, figures, curves, plots, config and command."""

import base64
import logging
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from dlcourse.plots.captions import caption
from dlcourse.plots.chart import Line, chart
from dlcourse.plots.images import Album, pictures_of
from dlcourse.plots.page import write_page
from dlcourse.runs.conclusions import Conclusion
from dlcourse.runs.files import by_epoch, read_rows
from dlcourse.runs.metrics import is_share
from dlcourse.runs.result import CONFIG, Result

log = logging.getLogger(__name__)

PAGE = "index.html"
WIDTH = 1100  # pixels of a plot on the page
WIDE = 1.6  # ratio of the sides above which a plot takes the whole width
MOST_CHARTS = 6
ANIMATION = 3 * 2**20  # bytes up to which an animation is put into the page
BESIDE = ("game.html",)  # pages of a run that are linked


def write_run_page(folder: Path, result: Result, conclusion: Conclusion) -> Path:
    """Write `folder`/index.html.

    Args:
        folder: of a finished run; result.json, config.yaml, metrics.csv and the plots are read from it.
        result: the content of its result.json.
        conclusion: the words at the top.
    """
    paths = pictures_of(folder, 99)
    if conclusion.picture in paths:
        paths = [conclusion.picture, *(path for path in paths if path != conclusion.picture)]
    sources = Album(paths, WIDTH).sources(None)
    figures = [(sources[path], caption(path.stem), path.stem, _wide(path)) for path in paths if path in sources]
    config = folder / CONFIG
    return write_page(
        folder, PAGE, "run.html", title=f"{result.model} on {result.data}", result=result, conclusion=conclusion,
        figures=figures + _animations(folder), charts=charts(read_rows(folder / "metrics.csv")), place=str(folder),
        command=result.command, config=config.read_text("utf8") if config.exists() else "",
        links=[name for name in BESIDE if (folder / name).exists()],
        tables=sorted(str(path.relative_to(folder)) for path in (folder / "plots").glob("*.csv")),
    )  # fmt: skip


def _wide(path: Path) -> bool:
    with Image.open(path) as image:
        return image.width > WIDE * image.height


def _animations(folder: Path) -> list[tuple[str, str, str, bool]]:
    found = []
    for path in sorted((folder / "plots").glob("*.gif")):
        if path.stat().st_size <= ANIMATION:
            data = base64.b64encode(path.read_bytes()).decode()
            found.append((f"data:image/gif;base64,{data}", "The same images after each epoch.", path.stem, False))
    return found


def charts(rows: Sequence[dict[str, str]]) -> list[tuple[str, Markup]]:
    """A chart of each metric by epoch, counted from 1: the loss first, training dashed, validation solid."""
    names = dict.fromkeys(name.rpartition("/")[2] for row in rows for name in row)
    found = []
    for short in sorted((n for n in names if n not in ("epoch", "step", "")), key=lambda n: (n != "loss", n == "lr")):
        lines = []
        for split, style, label in (("train", "line-a train", "training"), ("val", "line-b", "validation"),
                                    ("", "line-a", "")):  # fmt: skip
            points = by_epoch(rows, f"{split}/{short}" if split else short)
            if points:
                lines.append(Line(points, style, label))
        if any(len(line.points) > 1 for line in lines):
            found.append((short, chart(lines, short, is_share=is_share(short))))
    return found[:MOST_CHARTS]


def open_page(page: Path) -> None:
    """Open a page in the browser; without one, its address is printed."""
    open_address(page.absolute().as_uri())


def open_address(address: str) -> None:
    """Open an address in the browser; without one, it is printed."""
    try:
        opened = webbrowser.open(address)
    except Exception:  # an error of the desktop; the run is complete
        log.debug("no browser", exc_info=True)
        opened = False
    if not opened:
        log.warning("open=true: no browser was found; open %s yourself", address)
