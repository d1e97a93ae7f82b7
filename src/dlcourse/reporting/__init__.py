"""Reports over many runs: their results beside the reported figures. Nothing here imports torch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dlcourse.errors import UserError


def report(
    folders: Sequence[Path] = (Path("outputs"),),
    output: Path = Path("outputs/report"),
    compare: Sequence[Path] = (),
    publish: Sequence[Path] = (),
    results: bool = False,
    published: bool = False,
    by: str | None = None,
    pictures: int = 4,
    picture_width: int = 640,
) -> Iterator[str]:
    """Write the report that conf/report.yaml describes, and yield the lines to print.

    Args:
        folders: that hold runs.
        output: where the page and the table go.
        compare: two runs to set side by side instead, or none.
        publish: runs whose result.json is copied to outputs/published first.
        results: write RESULTS.md and docs/experiments.md instead.
        published: also read the published results in the folders named `published`.
        by: `folder` adds a table with a row for each of the folders, or for each subfolder of a single one.
        pictures: largest number of pictures of a run.
        picture_width: pixels.

    Raises:
        UserError: an option has a wrong value, or a run cannot be read.
    """
    from dlcourse.reporting import by_folder, collect, comparison, documents, page
    from dlcourse.reporting.published import publish as copy

    for name, value, least in (("pictures", pictures, 0), ("picture_width", picture_width, 50)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            what = "pictures" if least == 0 else "pixels"
            raise UserError(f"{name}={value} is not a valid number of {what}: use an integer of {least} or more")
    if by not in (None, "folder"):
        raise UserError(f"by={by} is unknown: use by=folder")
    if compare:
        yield from comparison.compare(list(compare), output)
        return
    for run in publish:
        yield f"published {copy(run)}"
    if results:
        yield f"wrote {documents.write_results()}"
    if results or publish:
        return
    found = collect.collect(folders, exclude=output, published=published)
    students = by_folder.groups(folders) if by else []
    rows, written = page.write_report(found, output, pictures, picture_width)
    if any(run.folder for run in found.runs):
        yield f"\n{page.own_runs(found.runs)}"
    if any(row.runs for row in rows):
        yield f"\n{page.terminal(rows)}\n"
    if by:
        yield f"{by_folder.write_table(by_folder.rows(found.runs, students), output)}\n"
    yield page.summary(found, rows)
    yield from (f"skipped {item.path}: {item.reason}" for item in found.skipped)
    yield f"Report saved to {written}"
