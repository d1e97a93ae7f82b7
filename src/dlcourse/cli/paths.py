"""Lists of paths as a shell gives them: `compare=[outputs/a b,outputs/c, d]`."""

import re
from pathlib import Path

PATH_LISTS = {"report": ("compare", "folders", "publish"), "sample": ("between",)}  # by command


def quote_path_list(value: str) -> str:
    """A list of paths as Hydra reads it, each of them quoted.

    A comma parts two paths, unless what stands on both sides of it is there under that name. A value with quotes of
    its own is Hydra's already, and is left alone.

    Args:
        value: `[A,B]`, or one path without brackets.
    """
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") and not Path(value).exists() else value
    if re.match(r"\s*['\"]", inner) or value == "null":
        return value
    return f"[{','.join(quote_path(path) for path in _split(inner))}]"


def _split(text: str) -> list[str]:
    """At commas, but not at those of a path that is there; a longer such path goes before a shorter one."""
    pieces = text.split(",") if text.strip() else []
    found = []
    while pieces:
        together = [(",".join(pieces[:n]), n) for n in range(len(pieces), 1, -1)]
        path, taken = next(((p, n) for p, n in together if Path(p.strip()).expanduser().exists()), (pieces[0], 1))
        found.append(path.strip())
        pieces = pieces[taken:]
    return found


def quote_path(path: str) -> str:
    """A path as Hydra takes it, without reading anything into it."""
    path = str(Path(path).expanduser()) if path.startswith("~") else path
    return "'{}'".format(path.replace("\\", "\\\\").replace("'", r"\'").replace("${", r"\${"))
