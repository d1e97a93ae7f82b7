"""Compare all runs with their references: `python -m dlcourse.report`; two side by side: `compare=[RUN,RUN]`."""

from pathlib import Path

from omegaconf import DictConfig

from dlcourse.cli.launch import launch


def task(cfg: DictConfig) -> None:
    """Write a page and a table to `output`, or RESULTS.md."""
    from dlcourse.reporting import report

    for line in report(
        folders=[Path(path) for path in cfg.folders or []],
        output=Path(cfg.output),
        compare=[Path(path) for path in cfg.compare or []],
        publish=[Path(path) for path in cfg.publish or []],
        results=cfg.results,
        published=cfg.published,
        by=cfg.by,
        pictures=cfg.pictures,
        picture_width=cfg.picture_width,
    ):
        print(line, flush=True)


if __name__ == "__main__":
    launch("report", task)
