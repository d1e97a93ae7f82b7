"""A data set, or a run's features of it, on a map of two dimensions, and how far that map can be trusted."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from dlcourse import results
from dlcourse.build import build_data, load_run
from dlcourse.config import known_references, references
from dlcourse.data.batches import seeded
from dlcourse.data.module import Arrays, DataModule
from dlcourse.errors import UserError
from dlcourse.models.family import Family
from dlcourse.plots.maps import METHOD_NAMES, coloured, draw_maps, write_map
from dlcourse.plots.sheet import displayable
from dlcourse.reduction import check_enough, reduction
from dlcourse.table import text_table
from dlcourse.trainers import quiet

TRUSTED = 12  # neighbours of a sample that trustworthiness looks at
VOTERS = 10  # neighbours on the map that vote for a sample's class
BATCH = 500


def embed(cfg: DictConfig, folder: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Make, measure and draw one map.

    Args:
        cfg: composed from conf/embed.yaml.
        folder: where plots/map.png, plots/map.csv, config.yaml and result.json go.
        overrides: recorded in result.json.

    Returns:
        The content of result.json, and `folder`.

    Raises:
        UserError: too few samples for the method, no labels to colour by, a run without features.
    """
    quiet()
    done = results.read_result(folder) if cfg.resume else None
    if done and done["status"] == "completed":
        print(_table(done, folder))
        return done | {"folder": str(folder)}
    chosen = reduction(cfg.method, **cfg.methods.get(cfg.method, {}), seed=cfg.seed)
    seconds: dict[str, float] = {}
    with _timed(seconds, "prepare"):
        data, model = _sources(cfg)
        inputs, labels = _samples(cfg, data, max(chosen.smallest, 2 * TRUSTED + 1))
        pictures = _thumbnails(inputs, data.title) if cfg.thumbnails else None
        points = (inputs if model is None else features(model, inputs)).flatten(1).float().numpy()
    with _timed(seconds, "compile"):
        chosen.warm_up(points)
    cpu = time.process_time()
    with _timed(seconds, "fit"):
        places = chosen.fit(points)
    cpu = time.process_time() - cpu
    with _timed(seconds, "measure"):
        metrics = quality(points, places, labels.numpy() if data.task.kind == "classes" else None)
    # Reported is the map of all training samples as they are.
    whole = model is None and cfg.split == "train" and len(points) == len(data.arrays["train"][0])
    ids = known_references(cfg.references.get(data.title, []) if whole else [])
    result = {
        **_record(cfg, data, overrides),
        "samples": len(points),
        "metrics": {f"{cfg.split}/{name}": value for name, value in metrics.items()},
        "references": [{k: row[k] for k in ("id", "metric", "value", "better")} for row in references(ids)],
        "seconds": seconds,
        "cpu_seconds": round(cpu, 1),
    }
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    results.write_text(folder / results.CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
    shown = coloured(places, labels.numpy() if cfg.colour else None, data.task, pictures)
    write_map(folder / "plots" / "map.csv", shown)
    source = data.title if model is None else f"features of {Path(cfg.run).name}"
    draw_maps(folder / "plots" / "map.png", {f"{source} by {METHOD_NAMES[cfg.method]}": shown})
    results.write_result(folder, result)
    print(_table(result, folder), flush=True)
    return result | {"folder": str(folder)}


def _sources(cfg: DictConfig) -> tuple[DataModule, Family | None]:
    """The data, set up, and the model of the run whose features are asked for."""
    run_cfg, model = load_run(Path(cfg.run)) if cfg.run is not None else (cfg, None)
    data = build_data(cfg if cfg.get("data") is not None else run_cfg)
    data.prepare_data()
    data.setup()
    if model is not None and data.task.kind != model.kind:
        raise UserError(f"{cfg.run} learnt {model.kind} but {data.title} asks for {data.task.kind}: choose other data")
    return data, model


def _samples(cfg: DictConfig, data: DataModule, smallest: int) -> Arrays:
    """What is mapped: the chosen split, or as much of it as `max_samples` allows, in its stored order."""
    if cfg.split not in data.arrays:
        raise UserError(f"{data.title} has no {cfg.split} split: take {', '.join(data.arrays)}")
    if cfg.colour and data.task.kind not in ("classes", "time"):
        raise UserError(f"{data.title} has no labels to colour its map by: set colour=false")
    inputs, labels = data.arrays[cfg.split]
    check_enough(cfg.method, smallest, min(len(inputs), cfg.max_samples))
    order = torch.randperm(len(inputs), generator=seeded(cfg.seed))[: cfg.max_samples].sort().values
    return inputs[order], labels[order]


def _thumbnails(inputs: Tensor, title: str) -> np.ndarray:
    pictures = displayable(inputs)
    if pictures is None:
        raise UserError(f"{title} has no pictures to draw as thumbnails: leave thumbnails=true out")
    return pictures.numpy()


def _record(cfg: DictConfig, data: DataModule, overrides: Sequence[str]) -> dict[str, Any]:
    """What result.json holds beside the figures."""
    return {
        "schema": results.SCHEMA,
        "status": "completed",
        "experiment": None,
        "model": cfg.method,
        "data": data.title,
        "rendered": data.rendered,
        "run": cfg.run,
        "parameters": 0,
        "checkpoint_mb": None,
        "seed": cfg.seed,
        "epochs": 0,
        "device": "cpu",
        "precision": None,
        "versions": results.versions("scikit-learn", "openTSNE", "umap-learn"),
        "git": results.git_commit(),
        "overrides": list(overrides),
        "error": None,
    }


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Generator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 2)


def features(model: Family, inputs: Tensor) -> Tensor:
    """What the last linear layer of a model's net is given: stored inputs [N, ...] to [N, D].

    Raises:
        UserError: the net has no such layer.
    """
    given: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: given.append(args[0].detach()))
        for layer in model.net.modules()
        if isinstance(layer, nn.Linear)
    ]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    found = []
    with torch.inference_mode():
        for batch in inputs.split(BATCH):
            given.clear()
            model(batch.to(device))
            if not given:
                raise UserError(f"{type(model).__name__} has no linear layer whose input could be mapped")
            found.append(given[-1].float().cpu())  # the last one that was used
    for hook in hooks:
        hook.remove()
    return torch.cat(found)


def quality(points: np.ndarray, places: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
    """How far a map can be trusted.

    Args:
        points: what was mapped [N, D].
        places: on the map [N, 2].
        labels: classes [N], the first column of [N, 2], or None.

    Returns:
        `trustworthiness`: 1 where the 12 nearest on the map are neighbours in truth (Venna and Kaski, 2001).
        `neighbour_accuracy`: share of the samples whose class most of their 10 nearest others on the map have;
        of equally many votes the smallest label wins. Left out without labels.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    found = {"trustworthiness": float(trustworthiness(points, places, n_neighbors=TRUSTED))}
    if labels is not None:
        labels = labels if labels.ndim == 1 else labels[:, 0]
        near = NearestNeighbors(n_neighbors=VOTERS).fit(places).kneighbors(return_distance=False)
        counted = np.eye(labels.max() + 1, dtype=np.int32)[labels[near]].sum(1)
        found["neighbour_accuracy"] = float((counted.argmax(1) == labels).mean())
    return found


def _table(result: dict[str, Any], folder: Path) -> str:
    reported = {row["metric"]: (row["value"], row["id"]) for row in result["references"]}
    rows = [[name, value, *reported.get(name, (None, ""))] for name, value in result["metrics"].items()]
    spent = ", ".join(f"{step} {value:.1f} s" for step, value in result["seconds"].items())
    what = f"{result['model']} of {result['samples']:,} samples of {result['data']}"
    lines = ["", text_table(["metric", "ours", "reported", "by"], rows), "", f"{what}: {spent}"]
    return "\n".join([*lines, f"everything is in {folder}"])
