"""The summary of a multirun of `embed`: a table, and the maps side by side."""

from pathlib import Path

from omegaconf import DictConfig

from dlcourse.runs.result import RESULT, read_result
from dlcourse.sweeps.jobs import folder_order
from dlcourse.sweeps.summary import SweepSummary

MOST = 6  # maps in one picture


class MapsSummary(SweepSummary):
    """A Hydra callback: `SweepSummary`, and maps.png with the finished jobs' maps."""

    def summarise(self, folder: Path, config: DictConfig) -> None:
        """Write and print the summary, then draw the maps."""
        super().summarise(folder, config)
        jobs = sorted((path.parent for path in folder.glob(f"*/{RESULT}")), key=lambda path: folder_order(path.name))
        jobs = [job for job in jobs if (job / "plots" / "map.csv").exists()]
        if not jobs:
            return
        from dlcourse.plots.maps import METHOD_NAMES, draw_maps, read_map
        from dlcourse.plots.style import plotting

        maps = {}
        for job in jobs[:MOST]:
            result = read_result(job)
            if result is None:
                continue
            trust = next(value for name, value in result.metrics.items() if name.endswith("/trustworthiness"))
            title = f"{METHOD_NAMES[str(result.model)]} of {result.data}: trustworthiness {trust:.3f}"
            maps[title if title not in maps else f"{title} (job {job.name})"] = read_map(job / "plots" / "map.csv")
        with plotting("the maps side by side"):
            draw_maps(folder / "maps.png", maps)
            print(f"Maps saved to {folder / 'maps.png'}")
