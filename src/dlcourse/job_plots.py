"""Pictures that a model makes of all finished jobs of a sweep, such as their curves in one plot."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from dlcourse.config import read_stored
from dlcourse.results import CONFIG, RESULT, read_result


def draw_together(folder: Path) -> None:
    """Call `draw_jobs(folder, jobs)` of dlcourse/plots/<model>.py, where a sweep is of one model and has one.

    It is given a config and a state dict for each completed job, in the jobs' order.
    """
    found = {path.parent: read_result(path.parent) or {} for path in folder.glob(f"*/{RESULT}")}
    done = sorted((job for job, r in found.items() if r["status"] == "completed"), key=lambda p: (len(p.name), p.name))
    models = {found[job]["model"] for job in done}
    name = f"dlcourse.plots.{next(iter(models), '')}"
    if len(models) != 1 or not name.rpartition(".")[2].isidentifier() or find_spec(name) is None:
        return
    draw_jobs = getattr(import_module(name), "draw_jobs", None)
    if draw_jobs is not None:
        from dlcourse.build import load_checkpoint

        best = "checkpoints/best.ckpt"
        draw_jobs(folder, [(read_stored(job / CONFIG), load_checkpoint(job / best)["state_dict"]) for job in done])
