"""A two-dimensional map of a data set or of a run's features, and measures of its quality."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from dlcourse.analysis.reduction import TRUSTED, check_enough, quality, reduction
from dlcourse.commands.evaluate import as_in_training, check_inputs
from dlcourse.commands.finish import finish
from dlcourse.config import check_keys
from dlcourse.data.batches import seeded
from dlcourse.data.module import Arrays, DataModule
from dlcourse.errors import UserError
from dlcourse.models.activations import features
from dlcourse.models.base import BaseModule
from dlcourse.models.build import build_data, load_run
from dlcourse.models.generative import Generative
from dlcourse.plots.maps import METHOD_NAMES, coloured, draw_maps, write_map
from dlcourse.plots.sheet import displayable
from dlcourse.plots.style import plotting
from dlcourse.runs.files import write_text
from dlcourse.runs.folders import refuse_run
from dlcourse.runs.provenance import config_dir, git_commit, processor, versions
from dlcourse.runs.references import known_references, references
from dlcourse.runs.result import CONFIG, Result, read_result, write_result
from dlcourse.runs.table import show, text_table
from dlcourse.training.trainer import quiet


def embed(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> Result:
    """Compute, measure and draw one map.

    Args:
        cfg: composed from conf/embed.yaml.
        folder: output folder of plots/map.png, plots/map.csv, config.yaml and result.json.
        overrides: recorded in result.json.

    Returns:
        The content of result.json.

    Raises:
        UserError: too few samples for the method, no labels to colour by, or a run without features.
    """
    quiet()
    refuse_run(folder)
    check_keys(cfg, "embed", overrides)
    done = read_result(folder) if cfg.resume else None
    if done and done.status == "completed":
        show(_table(done, folder))
        return done
    chosen = reduction(cfg.method, **cfg.methods.get(cfg.method, {}), seed=cfg.seed)
    seconds: dict[str, float] = {}
    with _timed(seconds, "prepare"):
        data, model = _sources(cfg, overrides)
        inputs, labels = _samples(cfg, data, max(chosen.smallest, 2 * TRUSTED + 1))
        thumbnails = _thumbnails(inputs, data.title) if cfg.thumbnails else None
        if model is not None:
            model.to("cuda" if torch.cuda.is_available() else "cpu")
        points = (inputs if model is None else features(model, inputs)).flatten(1).float().numpy()
    with _timed(seconds, "compile"):
        chosen.warm_up(points)
    cpu = time.process_time()
    with _timed(seconds, "fit"):
        places = chosen.fit(points)
    cpu = time.process_time() - cpu
    with _timed(seconds, "measure"):
        metrics = quality(points, places, labels.numpy() if data.task.kind == "classes" else None)
    # The reported figures are for maps of all training samples, not for maps of features.
    whole = model is None and cfg.split == "train" and len(points) == len(data.arrays["train"][0])
    ids = known_references(cfg.references.get(data.title, []) if whole else [])
    result = Result(
        "embed",
        "completed",
        model=cfg.method,
        data=data.title,
        rendered=data.rendered,
        metrics={f"{cfg.split}/{name}": value for name, value in metrics.items()},
        references=references(ids),
        parameters=0,
        seed=cfg.seed,
        seconds=seconds,
        cpu_seconds=round(cpu, 1),
        device="cpu",
        processor=processor(),
        versions=versions("scikit-learn", "openTSNE", "umap-learn"),
        git=git_commit(),
        overrides=list(overrides),
        config_dir=config_dir(),
        run=cfg.run,
        samples=len(points),
    )
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
    shown = coloured(places, labels.numpy() if cfg.colour else None, data.task, thumbnails)
    write_map(folder / "plots" / "map.csv", shown)
    source = data.title if model is None else f"features of {Path(cfg.run).name}"
    write_result(folder, result)
    with plotting("the map"):
        draw_maps(folder / "plots" / "map.png", {f"{source} by {METHOD_NAMES[cfg.method]}": shown})
    show(_table(result, folder))
    finish(folder, result, cfg)
    return result


def _sources(cfg: DictConfig, overrides: Sequence[str]) -> tuple[DataModule, BaseModule | None]:
    """The data, set up, and the model whose features are mapped; None for the data itself."""
    run_cfg, model = load_run(Path(cfg.run), cfg.trust) if cfg.run is not None else (cfg, None)
    if cfg.get("data") is None and any(word.startswith("data_dir=") for word in overrides):
        OmegaConf.update(run_cfg, "data.data_dir", cfg.data_dir)
    if model is not None:
        as_in_training(cfg, run_cfg, model, overrides)
    data = build_data(cfg if cfg.get("data") is not None else run_cfg)
    data.prepare_data()
    data.setup()
    if model is not None:
        task, labels = data.task, {split: y for split, (_, y) in data.arrays.items()}
        if model.kind == Generative.kind:
            data.as_pictures()
        check_inputs(Path(cfg.run), model.task, data.task)
        data.task = task  # a generative model does not use the labels, but the map has their colours
        data.arrays = {split: (inputs, labels[split]) for split, (inputs, _) in data.arrays.items()}
    return data, model


def _samples(cfg: DictConfig, data: DataModule, smallest: int) -> Arrays:
    """The samples to map: the chosen split, or `max_samples` of it drawn at random, in stored order."""
    if cfg.split not in data.arrays:
        raise UserError(f"split={cfg.split} not found in {data.title}: use {', '.join(data.arrays)}")
    if cfg.colour and data.task.kind not in ("classes", "time"):
        raise UserError(f"the labels of {data.title} cannot be used as colours: set colour=false")
    inputs, labels = data.arrays[cfg.split]
    check_enough(cfg.method, smallest, min(len(inputs), cfg.max_samples))
    order = torch.randperm(len(inputs), generator=seeded(cfg.seed))[: cfg.max_samples].sort().values
    return inputs[order], labels[order]


def _thumbnails(inputs: Tensor, title: str) -> np.ndarray:
    images = displayable(inputs)
    if images is None:
        raise UserError(
            f"the samples of {title} are not images and cannot be drawn as thumbnails: remove thumbnails=true"
        )
    return images.numpy()


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Generator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 2)


def _table(result: Result, folder: Path) -> str:
    reported = {row["metric"]: (row["value"], row["id"]) for row in result.references}
    rows = [[name, value, *reported.get(name, (None, ""))] for name, value in result.metrics.items()]
    spent = ", ".join(f"{step} {value:.1f} s" for step, value in result.seconds.items())
    what = f"{result.model} of {result.samples:,} samples of {result.data}"
    lines = ["", text_table(["metric", "ours", "reported", "by"], rows), "", f"{what}: {spent}"]
    return "\n".join([*lines, f"Results saved to {folder}"])
