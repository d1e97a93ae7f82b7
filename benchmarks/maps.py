"""t-SNE and UMAP of 10,000 points of 784 numbers: the libraries' defaults, at what trustworthiness.

scikit-learn's TSNE and umap-learn's UMAP as they come, two threads where they take them; imports and numba's
compilation are done before. Points are MNIST images if available, else a random mixture of ten classes.
Trustworthiness of 12 neighbours is measured on 1,000 of the points against all.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.table import Row, spent

COUNT, NEIGHBOURS, JUDGED = 10_000, 12, 1000


def points(count: int) -> np.ndarray:
    """float32 [count, 784]."""
    path = Path(os.environ.get("DLCOURSE_DATA", "data")) / "mnist.npz"
    if path.exists():
        with np.load(path) as file:
            return file["train_x"][:count].reshape(count, -1).astype(np.float32)
    draws = np.random.default_rng(0)
    centres, ways = draws.normal(0, 40, (10, 784)), draws.normal(0, 1, (10, 12, 784))
    classes = draws.integers(0, 10, count)
    inner = draws.normal(0, 10, (count, 1, 12))
    return (centres[classes] + (inner @ ways[classes])[:, 0] + draws.normal(0, 5, (count, 784))).astype(np.float32)


def trustworthiness(x: np.ndarray, places: np.ndarray, judged: np.ndarray) -> float:
    """scikit-learn's figure, over some of the points: all of them would take gigabytes (Venna and Kaski, 2001)."""
    count, penalty = len(x), 0.0
    squares, near = (x.astype(np.float64) ** 2).sum(1), (places**2).sum(1)
    for i in judged:
        distance = squares - 2 * (x @ x[i]).astype(np.float64)
        distance[i] = -np.inf
        rank = np.empty(count, int)
        rank[distance.argsort()] = np.arange(count)  # 0 is the point itself
        on_map = near - 2 * places @ places[i]
        on_map[i] = np.inf
        chosen = np.argpartition(on_map, NEIGHBOURS)[:NEIGHBOURS]
        penalty += np.maximum(rank[chosen] - NEIGHBOURS, 0).sum()
    return 1 - 2 * penalty / (len(judged) * NEIGHBOURS * (2 * count - 3 * NEIGHBOURS - 1))


def timed(fit: Callable[[np.ndarray], np.ndarray], x: np.ndarray, judged: np.ndarray) -> tuple[float, float, float]:
    """Wall and processor seconds of a fit, and how far its map can be trusted."""
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        places = fit(x)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall, cpu, trustworthiness(x, places.astype(np.float64), judged)


def rows(quick: bool) -> Iterator[Row]:
    """Both methods; a quick look has 400 points."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import numba
        import sklearn.manifold
        import umap

        from dlcourse.analysis.reduction import reduction

        cores = min(os.cpu_count() or 1, 2)
        numba.set_num_threads(min(cores, numba.config.NUMBA_NUM_THREADS))
        x = points(400 if quick else COUNT)
        judged = np.random.default_rng(1).choice(len(x), min(JUDGED, len(x)), replace=False)
        theirs = {
            "tsne": ("scikit-learn's TSNE", lambda x: sklearn.manifold.TSNE().fit_transform(x)),
            "umap": ("umap-learn's UMAP", lambda x: umap.UMAP().fit_transform(x)),
        }
        for method, (name, fit) in theirs.items():
            ours = reduction(method)
            ours.warm_up(x)
            if method == "umap":
                umap.UMAP(force_approximation_algorithm=len(x) > 4096, n_epochs=10).fit(x[:200])
            mine, other = timed(ours.fit, x, judged), timed(fit, x, judged)
            more = {"ours_cpu_s": mine[1], "theirs_cpu_s": other[1]}
            yield spent(f"{method} of {len(x):,}", mine[0], name, other[0], least=1, more=more)
            trust = mine[2] - other[2]
            yield Row(f"{method}: trustworthiness", mine[2], "", name, other[2], trust, "more", least=-0.005)
