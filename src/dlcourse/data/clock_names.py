"""Photographs of clocks, with the times in the file names or in a CSV file."""

import re
from pathlib import Path

from dlcourse.clocks.encodings import MINUTES
from dlcourse.data.image_files import files_below, printable
from dlcourse.data.labelled_files import SPLITS, Labelled, report, table_rows
from dlcourse.errors import UserError

DATE = re.compile(r"(?<!\d)(?:\d{4}[-_.]\d{2}[-_.]\d{2}|\d{2}[-_.]\d{2}[-_.]\d{4}|\d{8})(?!\d)")
# Hour and minute with a separator, optionally seconds.
SEPARATED = r"(?<!\d)(?P<hour>\d{1,2})[-_:.h ](?P<minute>\d{2})(?:[-_:.]\d{2})?(?!\d)"
FOUR_DIGITS = r"(?<!\d)(?P<hour>\d{2})(?P<minute>\d{2})(?!\d)"
# In this order: a time at the beginning of a name is preferred, and a separator to four digits in a row.
FORMS = [re.compile(form) for form in (f"^{SEPARATED}", f"^{FOUR_DIGITS}", SEPARATED, FOUR_DIGITS)]
CAMERA = re.compile(r"^_?(?:IMG|MG|DSC[NF]?|PICT?|P|GOPR|PXL)[-_ ]?\d{4,}", re.I)  # a counter, not a time
HOURS = 24
REMEDY = "name the files like 10-09.jpg (hour-minute), or give a CSV file with the columns file,time"


def time_in(name: str) -> int | None:
    """The time in a name, in minutes of the dial.

    The forms are `10-09`, `10_09`, `10:09`, `10.09`, `10h09`, `10 09` and `1009`, with hours from 0 to 23, anywhere in
    the name. A time at the beginning is preferred, then one with a separator. Dates and the counters of cameras, as
    in `IMG_1234` and `IMG_1234 (1)`, are left out.

    Args:
        name: of a file, without its suffix, or a cell of a CSV file.

    Returns:
        0 (12:00) to 719 (11:59); None without a time, or with several different ones.
    """
    text = CAMERA.sub(" ", DATE.sub(" ", name))
    for form in FORMS:
        pairs = [(int(found["hour"]), int(found["minute"])) for found in form.finditer(text)]
        times = {(60 * hour + minute) % MINUTES for hour, minute in pairs if hour < HOURS and minute < 60}
        if times:
            return times.pop() if len(times) == 1 else None
    return None


def find_clocks(path: Path) -> Labelled:
    """Read a folder of photographs with the time in their names, or a CSV with the columns file,time[,split].

    The folder may contain train/, val/ and test/; other subfolders are ordinary folders. Files without a time are
    ignored and reported by name.

    Returns:
        The files; the labels are minutes of the dial, and there are no classes.

    Raises:
        UserError: the path does not exist, or none of the files has a time.
    """
    if not path.exists():
        raise UserError(f"data.path={printable(path)} not found: give a folder of photographs, and {REMEDY}")
    if path.is_dir():
        found = [(file, time_in(file.stem), _split(file.relative_to(path))) for file in files_below(path)]
        report(
            "ignored, since their names do not contain exactly one time", [f for f, t, _ in found if t is None], path
        )
    else:
        found = []
        for number, (file, time, split) in table_rows(path, "time").items():
            if time_in(time) is None:
                raise UserError(f"{path}: row {number} has the unknown time {time!r}: write hour:minute, such as 10:09")
            found.append((file, time_in(time), split))
    timed = [(file, time, split) for file, time, split in found if time is not None]
    if not timed:
        raise UserError(f"{printable(path)} does not contain a file with a time in its name: {REMEDY}")
    return Labelled([f for f, _, _ in timed], [t for _, t, _ in timed], [s for _, _, s in timed], ())


def _split(path: Path) -> str:
    """The split that a file's first folder names, or empty."""
    return SPLITS.get(path.parts[0].lower(), "") if len(path.parts) > 1 else ""
