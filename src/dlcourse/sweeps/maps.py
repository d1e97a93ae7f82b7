"""The summary of a multirun of `embed`: a table, and the maps side by side."""

from pathlib import Path

from omegaconf import DictConfig

from dlcourse.sweeps.jobs import job_result, read_jobs
from dlcourse.sweeps.summary import SweepSummary

MOST = 6  # maps in one picture


class MapsSummary(SweepSummary):
    """A Hydra callback: `SweepSummary`, and maps.png with the finished jobs' maps."""

    def summarise(self, folder: Path, config: DictConfig) -> None:
        """Write and print the summary, then draw the maps."""
        super().summarise(folder, config)
        done = {name: job_result(folder / name) for name in read_jobs(folder)}
        from dlcourse.plots.maps import METHOD_NAMES, draw_maps, read_map
        from dlcourse.plots.style import plotting

        maps = {}
        with plotting("the maps side by side"):
            for name, result in done.items():
                path = folder / name / "plots" / "map.csv"
                if result is None or result.status != "completed" or not path.exists() or len(maps) == MOST:
                    continue
                trust = next(value for key, value in result.metrics.items() if key.endswith("/trustworthiness"))
                title = f"{METHOD_NAMES[str(result.model)]} of {result.data}: trustworthiness {trust:.3f}"
                maps[title if title not in maps else f"{title} (job {name})"] = read_map(path)
            if maps:
                draw_maps(folder / "maps.png", maps)
                print(f"Maps saved to {folder / 'maps.png'}")
