"""Finds labelled image files: one folder for each class, or a CSV file."""

import csv
import io
import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.data.image_files import as_text, files_below, printable
from dlcourse.errors import UserError

log = logging.getLogger(__name__)

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
# What to do with a file that is no CSV, by its ending.
NOT_CSV = dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"), "unpack it and give the folder")
NOT_CSV |= dict.fromkeys((".png", ".jpg", ".jpeg", ".webp"), "give the folder of the images")
NOT_CSV |= {".npz": "use data=arrays"}
LISTED = 10  # names in one message


@dataclass(frozen=True)
class Labelled:
    """Image files with labels.

    Attributes:
        files: of the images.
        labels: number of each image's class, or its time in minutes.
        splits: given for each image: `train`, `val`, `test` or empty.
        classes: names; empty if the labels are times.
    """

    files: list[Path]
    labels: list[int]
    splits: list[str]
    classes: tuple[str, ...]


def find(path: Path) -> Labelled:
    """Read a folder of class folders, or a CSV file.

    Raises:
        UserError: it does not exist or is not in a known form.
    """
    if not path.exists():
        raise UserError(
            f"data.path={printable(path)} not found: give a folder with one folder of images for each class, "
            "or a CSV file with the columns file,label"
        )
    return from_folders(path) if path.is_dir() else from_csv(path)


def from_folders(path: Path) -> Labelled:
    """Images in one folder for each class, optionally within train/, val/ and test/.

    Files outside of the class folders are ignored, and images in nested folders count to the class; both are reported.
    """
    folders = _folders(path)
    by_split = {folder: SPLITS[folder.name.lower()] for folder in folders if folder.name.lower() in SPLITS}
    if any(split == "train" and _folders(folder) for folder, split in by_split.items()):  # else a class called train
        report("ignored, since they are not split folders", [f for f in folders if f not in by_split], path)
        parents = list(by_split.items())
        report("ignored, since they are not in a split folder", _loose(path), path)
    else:
        parents = [(path, "")]
        _refuse_split_folders(folders, path)
    found = []  # file, class name, split
    for parent, split in parents:
        report("ignored, since they are not in a class folder", _loose(parent), path)
        for folder in _folders(parent):
            files = files_below(folder)
            if not files:
                raise UserError(
                    f"the class folder {printable(folder)} is empty: add images, or use a folder without it"
                )
            nested = sorted({file.parent for file in files} - {folder})
            report(f"nested folders; their images belong to the class {printable(folder.name)!r}", nested, path)
            found += [(file, as_text(folder.name), split) for file in files]
    if not found:
        raise UserError(
            f"{printable(path)} does not contain class folders: give a folder with one folder of images for each "
            f"class{_table_hint(path)}"
        )
    return _labelled(found, path)


def _refuse_split_folders(folders: Sequence[Path], path: Path) -> None:
    """Refuse training_set and test_set, or val without train, that hold class folders: they are no classes."""
    inner = [{folder.name for folder in _folders(folder)} for folder in folders]
    named = [re.search("train|test|val", folder.name.lower()) for folder in folders]
    if len(folders) > 1 and all(named) and set.intersection(*inner):
        raise UserError(
            f"the folders {', '.join(printable(folder.name) for folder in folders)} in {printable(path)} contain "
            "folders of the same names: call them train, val and test, or set data.path to one of them"
        )


def from_csv(path: Path) -> Labelled:
    """The files of a CSV with the columns file,label[,split], see `table_rows`."""
    return _labelled(list(table_rows(path, "label").values()), path)


def table_rows(path: Path, column: str) -> dict[int, tuple[Path, str, str]]:
    """The rows of a CSV with the columns file, `column` and optionally split.

    Files without a row are reported.

    Args:
        path: of the CSV; the names of the files are relative to its folder.
        column: name of the column with the labels.

    Returns:
        File, label and split (`train`, `val`, `test` or empty) by number of the row, from 2.

    Raises:
        UserError: the CSV is not in this form, or a file does not exist.
    """
    rows = _rows(path, column)
    found: dict[int, tuple[Path, str, str]] = {}
    missing, seen = [], {}
    for number, row in enumerate(rows, 2):
        name, label, split = (str(row.get(key) or "").strip() for key in ("file", column, "split"))
        if not name or not label:
            raise UserError(f"{path}: row {number} lacks a {'file' if not name else column}: complete it")
        if split and split.lower() not in SPLITS:
            raise UserError(f"{path}: row {number} has the unknown split {split!r}: use train, val or test")
        file = path.parent / name
        if not file.is_file() and (path.parent / name.replace("\\", "/")).is_file():
            file = path.parent / name.replace("\\", "/")  # written on Windows
        if not file.is_file():
            missing.append((number, name))
        if seen.setdefault(file, number) != number:
            raise UserError(f"{path}: rows {seen[file]} and {number} name the same file {name}: keep one of them")
        found[number] = file, label, SPLITS[split.lower()] if split else ""
    if missing:
        number, name = missing[0]
        raise UserError(
            f"{path}: {len(missing)} of {len(rows)} files not found, first {printable(name)} in row {number}: "
            f"give paths relative to {printable(path.parent.absolute())}"
        )
    if not found:
        raise UserError(f"{path} is empty: give one row file,{column} for each image")
    folders = {file.parent for file in seen}
    others = [file for folder in folders for file in _loose(folder) if file not in seen and file != path]
    report(f"ignored, since the CSV gives them no {column}", sorted(others), path.parent)
    return found


def _rows(path: Path, column: str) -> list[dict[str, str]]:
    if remedy := NOT_CSV.get(path.suffix.lower()):
        raise UserError(f"{printable(path)} is not a CSV file: {remedy}")
    try:
        text = _text(path.read_bytes())
        first = text.partition("\n")[0]
        between = max(",;\t", key=first.count)  # spreadsheets write semicolons where the comma is decimal
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=between, skipinitialspace=True)
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        if not {"file", column} <= set(columns):
            raise UserError(
                f"{path} does not begin with the columns file,{column}: separate columns by commas, semicolons or "
                "tabs, and name them in the first row"
            )
        reader.fieldnames = columns
        return list(reader)
    except (OSError, csv.Error) as error:
        raise UserError(f"{path} could not be read ({error}): give a CSV file with the columns file,{column}") from None


def _text(raw: bytes) -> str:
    """The text of a CSV: UTF-8, or Windows-1252 as spreadsheets on Windows write it."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _labelled(found: Sequence[tuple[Path, str, str]], path: Path) -> Labelled:
    names = sorted({name for _, name, _ in found}, key=_order)
    same: dict[str, str] = {}
    for name in names:
        other = same.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise UserError(f"{printable(path)} has the classes {other!r} and {name!r}: give them one name")
    if len(names) < 2:
        raise UserError(
            f"{printable(path)} has one class, {names[0]!r}: give at least two to tell apart{_table_hint(path)}"
            + _deeper_hint(path, names[0])
        )
    number = {name: i for i, name in enumerate(names)}
    files, labels, splits = zip(*((file, number[name], split) for file, name, split in found), strict=True)
    return Labelled(list(files), list(labels), list(splits), tuple(names))


def _table_hint(path: Path) -> str:
    """The end of a message about a folder: its CSV file, if there is one, may be what was meant."""
    tables = [file for file in _loose(path) if file.suffix.lower() == ".csv"] if path.is_dir() else []
    return f", or set data.path={printable(tables[0])}" if tables else ""


def _deeper_hint(path: Path, name: str) -> str:
    """Likewise: the one folder in an unpacked archive may hold the class folders."""
    inner = path / name
    return f", or set data.path={printable(inner)}" if inner.is_dir() and len(_folders(inner)) > 1 else ""


def _order(name: str) -> tuple[bool, int, str]:
    """Numbers first and by value, then names."""
    return (False, int(name), name) if name.isdecimal() else (True, 0, name)


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))


def _loose(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_file() and not child.name.startswith("."))


def report(what: str, paths: Iterable[Path], root: Path) -> None:
    """Warn of files, with the names of the first ones relative to `root`."""
    names = [printable(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths]
    if names:
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        log.warning("%s: %s%s", what, ", ".join(names[:LISTED]), more)
