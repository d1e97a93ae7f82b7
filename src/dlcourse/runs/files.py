"""Files that are written completely or not at all, and tables that may be missing."""

import contextlib
import csv
import errno
import io
import math
import os
import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError

PART = ".part"  # suffix of the temporary name of a file that is being written


@contextlib.contextmanager
def replaced(path: Path) -> Generator[Path]:
    """A temporary name in the same folder to write to; it is renamed at the end, so that no reader sees half a file.

    Raises:
        UserError: the folder is not writable or the disk is full; an earlier file stays as it was.
    """
    # Two machines on one disk may use the same process number.
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make its folder writable"
        raise UserError(f"{path} could not be written ({error.strerror or error}): {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def drop_parts(folder: Path) -> None:
    """Remove incomplete files of a killed run."""
    for part in folder.rglob(f".*{PART}"):
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    with replaced(path) as part:
        # The bytes of a path that is not UTF-8 are escaped, in JSON so that they are read as they were.
        part.write_text(text, "utf8", "backslashreplace")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, with six digits per number and empty cells for missing values.

    Args:
        path: of the CSV.
        header: names of the columns.
        rows: their values; None and NaN are missing.
    """
    write_rows(path, [header, *([_cell(value) for value in row] for row in rows)])


def write_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write the rows of a CSV file as they are, the header first."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    write_text(path, table.getvalue())


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def by_epoch(rows: Iterable[Mapping[str, str]], name: str) -> list[tuple[int, float]]:
    """The finite values of a column of metrics.csv with their epochs, counted from 1; cells may be empty or damaged."""
    found = []
    for row in rows:
        try:
            point = int(row["epoch"]) + 1, float(row[name])
        except (KeyError, TypeError, ValueError):
            continue
        if math.isfinite(point[1]):
            found.append(point)
    return found


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column; none where it is missing or damaged."""
    try:
        with path.open(encoding="utf8", newline="") as file:
            return list(csv.DictReader(file, restkey=""))
    except (OSError, ValueError, csv.Error):
        return []
