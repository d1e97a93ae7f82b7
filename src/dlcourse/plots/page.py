"""Self-contained HTML pages from the templates beside this module."""

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcourse.runs import metrics
from dlcourse.runs.files import write_text

WORDS = {"better": "better", "same": "the same", "noise": "within noise", "worse": "worse", "times": "as a draw",
         "not-comparable": "not comparable", "rendered": "rendered", "not-run": "not run"}  # fmt: skip


@cache
def environment() -> Environment:
    """The templates; inserted text is escaped."""
    found = Environment(
        loader=PackageLoader("dlcourse.plots"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
    known: Any = found.globals
    known.update(metrics=metrics, words=WORDS)
    found.filters |= {"slug": slug, "duration": metrics.duration, "short": short}
    return found


def slug(text: str) -> str:
    """A text as the name of an anchor."""
    return re.sub(r"[^\w-]+", "-", text).strip("-")


def short(cell: str) -> str:
    """A cell of a table, a long number with four digits."""
    try:
        return f"{float(cell):.4g}" if "." in cell else cell
    except ValueError:
        return cell


def write_page(folder: Path, name: str, template: str, **values: Any) -> Path:
    """Render a template into `folder`/`name`."""
    text = environment().get_template(template).render(made=datetime.now().strftime("%Y-%m-%d %H:%M"), **values)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / name, text)
    return folder / name
