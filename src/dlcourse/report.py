"""Every run against its references: `python -m dlcourse.report`; two side by side: `compare=[RUN,RUN]`."""

from pathlib import Path

from omegaconf import DictConfig

from dlcourse.cli.launch import launch


def task(cfg: DictConfig) -> None:
    """A page and a table in `output`, or RESULTS.md."""
    from dlcourse.reporting import report

    for said in report(
        folders=[Path(path) for path in cfg.folders],
        output=Path(cfg.output),
        compare=[Path(path) for path in cfg.compare],
        publish=[Path(path) for path in cfg.publish],
        results=cfg.results,
        pictures=cfg.pictures,
        picture_width=cfg.picture_width,
    ):
        print(said, flush=True)


if __name__ == "__main__":
    launch("report", task)
