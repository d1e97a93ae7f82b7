"""Several generative models side by side: a row of samples of each, and a table of their scores."""

import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from dlcourse.commands.sample import check_numbers
from dlcourse.data.batches import seeded
from dlcourse.errors import UserError
from dlcourse.models.build import load_run
from dlcourse.models.generative import Generative
from dlcourse.plots.mosaic import draw_rows
from dlcourse.plots.style import plotting
from dlcourse.runs.files import write_text
from dlcourse.runs.folders import refuse_run
from dlcourse.runs.metrics import duration, figure
from dlcourse.runs.provenance import config_dir, git_commit, versions
from dlcourse.runs.result import Result, read_result, write_result
from dlcourse.runs.table import text_table

SHEET, TABLE = "families.png", "families.md"
SHOWN = 16  # samples of each model in the picture
TIMED = 100  # samples whose time is measured
# Test metrics of the table, as `ComparedImages.compared` names them.
SCORES = {
    "Frechet distance": "frechet_distance",
    "real images": "real_frechet_distance",
    "precision": "precision",
    "recall": "recall",
    "variety": "variety",
    "nearest ratio": "nearest_ratio",
}
KNOWN = ("compare", "trust", "n", "seed")  # options that work with several runs


def sample_runs(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> list[Tensor]:
    """Write families.png, a row of samples for each run, families.md, their scores, and result.json into `folder`.

    The scores are those of each run's own test; distances in different feature spaces or of different image sizes are
    not comparable. The time to draw 1,000 samples is measured here.

    Args:
        cfg: composed from conf/sample.yaml, with `compare` a list of run folders of the same data set; the sizes of
            their images may differ.
        folder: output folder.
        overrides: recorded in result.json.

    Returns:
        The samples of each run, stored images uint8 [n, H, W] or [n, H, W, 3]; H and W may differ between runs.

    Raises:
        UserError: a run does not exist, its model cannot draw samples, the runs are of different data, or another
            option was given.
    """
    given = {word.lstrip("+~").partition("=")[0] for word in overrides}
    _check(cfg, given)
    refuse_run(folder)
    runs = [Path(str(run)) for run in cfg.compare]
    count = cfg.n if "n" in given else SHOWN
    start, rows, drawn, names, sets = time.perf_counter(), [], [], [], {}
    for run in runs:
        model = load_run(run, cfg.trust)[1]
        if not isinstance(model, Generative) or not model.samples:
            raise UserError(f"{run} ({type(model).__name__}) cannot draw samples: use runs of vae, gan or flow")
        channels, high, wide = model.task.in_shape
        sets.setdefault(f"{model.task.data}{' in colour' if channels == 3 else ''}", run)
        if len(sets) > 1:
            found = ", ".join(f"{run} of {name}" for name, run in sets.items())
            raise UserError(f"the runs are of different data: {found}: compare models of the same data")
        drawn.append(model.decode_images(model.sample_latents(count, seeded(cfg.seed))))
        begun = time.perf_counter()
        model.decode_images(model.sample_latents(TIMED, seeded(cfg.seed)))
        seconds = (time.perf_counter() - begun) * 1000 / TIMED
        result = read_result(run)
        scores, trained = (result.metrics, result.seconds.get("fit")) if result else ({}, None)
        name = result.model or run.name if result else run.name
        measured = [figure(f"test/{key}", scores.get(f"test/{key}")) for key in SCORES.values()]
        rows.append(
            [str(run), name, f"{wide} x {high}", *measured,
             result.features if result else None, duration(trained), f"{seconds:.1f} s"]
        )  # fmt: skip
        names.append(f"{name}, {duration(trained)}" if trained else name)
    folder.mkdir(parents=True, exist_ok=True)
    with plotting("the samples"):
        draw_rows(folder / SHEET, drawn, names, f"Samples of {next(iter(sets))}, with the time of training")
    header = ["run", "model", "pixels", *SCORES, "feature space", "training", "1,000 samples"]
    write_text(folder / TABLE, text_table(header, rows, markdown=True) + "\n")
    write_result(
        folder,
        Result(
            "sample", "completed", seed=cfg.seed, seconds={"sample": round(time.perf_counter() - start, 2)},
            versions=versions(), git=git_commit(), overrides=list(overrides), config_dir=config_dir(),
            samples=sum(map(len, drawn)),
        ),
    )  # fmt: skip
    print(f"{text_table(header, rows)}\n\nResults saved to {folder}\nOpen first: {folder / SHEET}", flush=True)
    return drawn


def _check(cfg: DictConfig, given: set[str]) -> None:
    if not OmegaConf.is_list(cfg.compare) or len(cfg.compare) < 2:
        raise UserError(f"compare={cfg.compare} does not name two runs: use compare=[DIR,DIR], or run=DIR")
    for name in sorted(given - set(KNOWN)):
        if not name.startswith("hydra."):
            raise UserError(f"{name} and compare are mutually exclusive: remove one, or use run=DIR for a single run")
    check_numbers(cfg)
