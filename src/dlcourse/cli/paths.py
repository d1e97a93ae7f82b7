"""Quote paths, and lists of paths such as `compare=[outputs/a b,outputs/c]`, for Hydra."""

import re
from pathlib import Path

from dlcourse.runs.keys import home_path

PATH_LISTS = {"report": ("compare", "folders", "publish"), "sample": ("between",)}  # by command


def quote_path_list(value: str) -> str:
    """A list of paths in Hydra's syntax, each path quoted.

    A comma separates two paths, unless a file or folder exists whose name contains it. A value that is quoted already
    is returned as it is.

    Args:
        value: `[A,B]`, or one path without brackets.
    """
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") and not Path(value).exists() else value
    if re.match(r"\s*['\"]", inner) or value == "null":
        return value
    return f"[{','.join(quote_path(path) for path in split_paths(inner))}]"


def split_paths(text: str) -> list[str]:
    """Split at commas, but not inside the name of an existing path; the longest existing path wins."""
    pieces = text.split(",") if text.strip() else []
    found = []
    while pieces:
        together = [(",".join(pieces[:n]), n) for n in range(len(pieces), 1, -1)]
        path, taken = next(((p, n) for p, n in together if Path(home_path(p.strip())).exists()), (pieces[0], 1))
        found.append(path.strip())
        pieces = pieces[taken:]
    return found


def quote_path(path: str) -> str:
    """A path as a quoted string of Hydra's override syntax, with `~` expanded."""
    return "'{}'".format(home_path(path).replace("\\", "\\\\").replace("'", r"\'").replace("${", r"\${"))
