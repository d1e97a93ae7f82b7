"""Dimensionality reduction to 2-D: PCA, t-SNE and UMAP; each can also embed new points.

A fitted reduction is stored as its points and their coordinates; `restore` rebuilds it from them.
"""

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from dlcourse.config.values import check_method
from dlcourse.data.task import fine
from dlcourse.errors import UserError
from dlcourse.numba_cache import import_compiled

EXACT = 4096  # points up to which neighbours are searched for exactly, as umap-learn itself does


class Reduction(ABC):
    """Maps points [N, D] to a plane, and new points among them.

    Args:
        seed: random seed of the method.
    """

    def __init__(self, seed: int = 0):
        self.seed = seed

    @property
    @abstractmethod
    def smallest(self) -> int:
        """The smallest number of points that the method can be fitted to."""

    @abstractmethod
    def fit(self, x: np.ndarray) -> np.ndarray:
        """Fit to points [N, D]; returns their places float64 [N, 2]."""

    @abstractmethod
    def restore(self, x: np.ndarray, places: np.ndarray) -> None:
        """Restore the state after an earlier `fit` to these points that returned these places."""

    @abstractmethod
    def transform(self, x: np.ndarray) -> np.ndarray:
        """Places float64 [M, 2] of new points [M, D] on the fitted map."""

    @abstractmethod
    def warm_up(self, x: np.ndarray) -> None:
        """Import and compile what the first use needs, so that it can be timed separately."""


class PCA(Reduction):
    """The two directions in which the points vary most; linear (Pearson, 1901)."""

    smallest = 2

    def fit(self, x: np.ndarray) -> np.ndarray:
        from sklearn import decomposition

        self.model = decomposition.PCA(2, random_state=self.seed)
        return self.model.fit_transform(x.astype(np.float64))

    def restore(self, x: np.ndarray, places: np.ndarray) -> None:
        self.fit(x)

    def transform(self, x: np.ndarray) -> np.ndarray:
        return self.model.transform(x.astype(np.float64))

    def warm_up(self, x: np.ndarray) -> None:
        from sklearn import decomposition  # noqa: F401


class TSNE(Reduction):
    """Preserves neighbourhoods (van der Maaten and Hinton, 2008). By openTSNE, which can embed new points.

    A new point is placed near its neighbours, the map does not change (Poličar et al., 2024).

    Args:
        perplexity: approximate number of neighbours that count for a point.
        seed: see `Reduction`.
    """

    ITERATIONS = 750  # after the 250 of early exaggeration
    EXACT = 20_000  # points up to which an exact search for neighbours is the faster one

    def __init__(self, perplexity: float = 30, seed: int = 0):
        super().__init__(seed)
        if not isinstance(perplexity, int | float) or perplexity < 1:
            raise UserError(f"perplexity={perplexity} is not a number of at least 1: use for example 30")
        self.perplexity = perplexity

    @property
    def smallest(self) -> int:
        return int(3 * self.perplexity) + 1

    def _search(self, x: np.ndarray) -> dict[str, Any]:
        return {"random_state": self.seed, "n_jobs": 1} | ({"neighbors": "exact"} if len(x) <= self.EXACT else {})

    def fit(self, x: np.ndarray) -> np.ndarray:
        import openTSNE

        # Large maps are wide ones, where openTSNE's grid for the forces is finer than they need: with cells twice as
        # wide 10,000 points take a third of the time, and their map can be trusted as far.
        method = openTSNE.TSNE(
            perplexity=self.perplexity,
            initialization="pca",
            n_iter=self.ITERATIONS,
            ints_in_interval=1 if len(x) <= EXACT else 2,
            **self._search(x),
        )
        self.model = method.fit(x)
        self.places = np.array(self.model, np.float64)
        return self.places

    def restore(self, x: np.ndarray, places: np.ndarray) -> None:
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN

        search = self._search(x)
        affinities = PerplexityBasedNN(x, self.perplexity, method=search.pop("neighbors", "auto"), **search)
        self.model = TSNEEmbedding(places, affinities, random_state=self.seed, n_jobs=1)
        self.places = places

    def transform(self, x: np.ndarray) -> np.ndarray:
        found = np.array(self.model.transform(x), np.float64)
        # openTSNE shifts the whole map, once, when it places the first new points.
        return found - (np.asarray(self.model)[0] - self.places[0])

    def warm_up(self, x: np.ndarray) -> None:
        import openTSNE  # noqa: F401


class UMAP(Reduction):
    """Preserves the neighbourhood graph (McInnes et al., 2018, arXiv:1802.03426), by umap-learn.

    New points embedded together share one random stream, so a place may depend slightly on the others.

    Args:
        n_neighbors: number of neighbours of a point, including itself.
        min_dist: smallest distance of points on the map.
        seed: see `Reduction`.
    """

    def __init__(self, n_neighbors: int = 15, min_dist: float = 0.1, seed: int = 0):
        super().__init__(seed)
        if not isinstance(n_neighbors, int) or n_neighbors < 2:
            raise UserError(f"n_neighbors={n_neighbors} is not a whole number of at least 2: use for example 15")
        if not isinstance(min_dist, int | float) or not 0 <= min_dist <= 1:
            raise UserError(f"min_dist={min_dist} is not a number from 0 to 1: use for example 0.1")
        self.n_neighbors, self.min_dist = n_neighbors, min_dist

    @property
    def smallest(self) -> int:
        return self.n_neighbors + 1

    def _make(self, **more: Any) -> Any:
        umap = _umap()
        settings = {"n_neighbors": self.n_neighbors, "min_dist": self.min_dist, "random_state": self.seed, "n_jobs": 1}
        return umap.UMAP(**(settings | more))

    def fit(self, x: np.ndarray) -> np.ndarray:
        # umap-learn moves up to 10,000 points 500 times, more points 200 times, which is enough for half as many too.
        self.model = self._make(**({"n_epochs": 200} if len(x) > EXACT else {}))
        return self.model.fit_transform(x.astype(np.float32)).astype(np.float64)

    def restore(self, x: np.ndarray, places: np.ndarray) -> None:
        # The graph of neighbours alone, without moving a point; then the usual number of steps for new points.
        self.model = self._make(n_epochs=0, init=places.astype(np.float32))
        self.model.fit(x.astype(np.float32))
        self.model.embedding_, self.model.n_epochs = places.astype(np.float32), None

    def transform(self, x: np.ndarray) -> np.ndarray:
        return self.model.transform(x.astype(np.float32)).astype(np.float64)

    def warm_up(self, x: np.ndarray) -> None:
        few = x[: max(100, 2 * self.smallest)].astype(np.float32)
        self._make(n_epochs=10, force_approximation_algorithm=len(x) > EXACT).fit(few)


def _umap() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)  # not used here
        return import_compiled("umap")


METHODS: dict[str, type[Reduction]] = {"pca": PCA, "tsne": TSNE, "umap": UMAP}


def reduction(method: str, **options: Any) -> Reduction:
    """The method of that name, with its options.

    Raises:
        UserError: the method or an option is unknown.
    """
    check_method(method)
    return METHODS[method](**options)


def check_enough(method: str, smallest: int, count: int) -> None:
    """Refuse fewer samples than a method can be fitted to.

    Raises:
        UserError: there are too few samples; the message says how many are required.
    """
    if count < smallest:
        raise UserError(f"{method} needs at least {smallest} samples, but there are {count}: use more")


def quality(points: np.ndarray, places: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
    """Measures of a map's quality.

    Args:
        points: the original points [N, D].
        places: their places on the map [N, 2].
        labels: classes [N], the first column of [N, 2], or None.

    Returns:
        `trustworthiness`: 1 if the 12 nearest neighbours on the map are also neighbours in the original space (Venna
        and Kaski, 2001). `neighbour_accuracy`: share of the samples whose class is that of most of their 10 nearest
        neighbours on the map; on a tie the smallest label wins. Omitted without labels.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    found = {"trustworthiness": float(trustworthiness(points, places, n_neighbors=TRUSTED))}
    if labels is not None:
        labels = fine(labels)
        near = NearestNeighbors(n_neighbors=VOTERS).fit(places).kneighbors(return_distance=False)
        counted = np.eye(labels.max() + 1, dtype=np.int32)[labels[near]].sum(1)
        found["neighbour_accuracy"] = float((counted.argmax(1) == labels).mean())
    return found


TRUSTED = 12  # neighbours of a sample that trustworthiness looks at


VOTERS = 10  # neighbours on the map that vote for a sample's class
