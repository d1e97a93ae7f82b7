"""Linear probe: how well a linear model predicts the factors of an image from its representation."""

from collections.abc import Sequence

import numpy as np

from dlcourse.errors import UserError

RIDGE = np.logspace(-3, 4, 8)  # penalties that cross-validation chooses from
INVERSE_PENALTY = 1.0  # of the logistic regressions; features are standardised
STEPS = 300


def linear_probe(
    train_latents: np.ndarray,
    train_factors: np.ndarray,
    test_latents: np.ndarray,
    test_factors: np.ndarray,
    factors: Sequence[str],
    categories: Sequence[int] = (),
) -> dict[str, float]:
    """Predict each factor from the latents with a linear model, fitted on one split and scored on another.

    Numbers: ridge regression, its penalty chosen within the training split, scored by R^2 (1 is perfect, 0 equals the
    mean). Categories: logistic regression, scored by accuracy.

    Args:
        train_latents, test_latents: [N, D] and [M, D].
        train_factors, test_factors: [N, F] and [M, F] in [0, 1]; value k of K categories is stored as k / (K - 1).
        factors: names of the F factors.
        categories: number of values of each factor, 0 for a number; empty if all are numbers.

    Returns:
        The score of each factor on the test split.

    Raises:
        UserError: the shapes do not match, a number is not finite, or a factor has a single value.
    """
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import StandardScaler

    kinds = list(categories) or [0] * len(factors)
    _check(train_latents, train_factors, test_latents, test_factors, factors, kinds)
    scaler = StandardScaler().fit(train_latents)
    train, test = scaler.transform(train_latents), scaler.transform(test_latents)
    found: dict[str, float] = {}
    for column, (name, count) in enumerate(zip(factors, kinds, strict=True)):
        wanted, truth = train_factors[:, column].astype(float), test_factors[:, column].astype(float)
        if len(np.unique(wanted)) < 2:
            raise UserError(f"{name} has only one value among the {len(wanted)} samples: probe with more of them")
        if count:
            model = LogisticRegression(C=INVERSE_PENALTY, max_iter=STEPS, tol=1e-3)
            model.fit(train, _values(wanted, count))
            found[name] = float(model.score(test, _values(truth, count)))
        else:
            answer = RidgeCV(RIDGE).fit(train, wanted).predict(test)
            found[name] = float(r2_score(truth, answer))
    return found


def varied(factors: np.ndarray) -> list[int]:
    """The columns of [N, F] with more than one value: a probe needs two."""
    return [column for column in range(factors.shape[1]) if len(np.unique(factors[:, column])) > 1]


def means(scores: dict[str, float], categories: Sequence[int]) -> dict[str, float]:
    """`factors_r2`, the mean over the numbers, and `factors_accuracy`, over the categories; omitted if none."""
    kinds = list(categories) or [0] * len(scores)
    parts = {
        "factors_r2": [score for score, kind in zip(scores.values(), kinds, strict=True) if not kind],
        "factors_accuracy": [score for score, kind in zip(scores.values(), kinds, strict=True) if kind],
    }
    return {name: float(np.mean(values)) for name, values in parts.items() if values}


def baseline(
    train_factors: np.ndarray, test_factors: np.ndarray, factors: Sequence[str], categories: Sequence[int] = ()
) -> dict[str, float]:
    """The scores of a probe without inputs: 0 for numbers, the share of the most frequent value for categories."""
    from sklearn.dummy import DummyClassifier

    kinds = list(categories) or [0] * len(factors)
    found = {}
    for column, (name, count) in enumerate(zip(factors, kinds, strict=True)):
        if count:
            wanted, truth = (_values(split[:, column], count) for split in (train_factors, test_factors))
            found[name] = float(DummyClassifier().fit(wanted, wanted).score(truth, truth))
        else:
            found[name] = 0.0
    return found


def principal_components(train: np.ndarray, test: np.ndarray, dimension: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """PCA of raw images: a baseline representation with as many dimensions as a latent.

    Args:
        train, test: images [N, ...] and [M, ...] of any type; the components are fitted to `train`.
        dimension: number of components; fewer with fewer samples or pixels.
        seed: random seed of the randomised decomposition.

    Returns:
        float32 [N, dimension] and [M, dimension].
    """
    from sklearn.decomposition import PCA

    flat = [np.asarray(x).reshape(len(x), -1).astype(np.float32) for x in (train, test)]
    pca = PCA(min(dimension, *flat[0].shape), svd_solver="randomized", random_state=seed).fit(flat[0])
    return tuple(pca.transform(x) for x in flat)


def _values(column: np.ndarray, count: int) -> np.ndarray:
    return np.rint(np.asarray(column, float) * (count - 1)).astype(np.int64)


def _check(
    train_latents: np.ndarray,
    train_factors: np.ndarray,
    test_latents: np.ndarray,
    test_factors: np.ndarray,
    factors: Sequence[str],
    kinds: Sequence[int],
) -> None:
    if len(kinds) != len(factors):
        raise UserError(f"{len(factors)} factors but {len(kinds)} entries of categories: pass one for each factor")
    for split, latents, values in (("training", train_latents, train_factors), ("test", test_latents, test_factors)):
        if latents.ndim != 2 or values.shape != (len(latents), len(factors)) or not len(latents):
            raise UserError(
                f"the {split} split has latents {list(latents.shape)} and factors {list(values.shape)}: "
                f"give [N, D] and [N, {len(factors)}]"
            )
        if not (np.isfinite(latents).all() and np.isfinite(values).all()):
            raise UserError(f"the {split} split contains values that are not finite: use a net that has not diverged")
    if train_latents.shape[1] != test_latents.shape[1]:
        raise UserError(
            f"training latents have {train_latents.shape[1]} dimensions, test ones {test_latents.shape[1]}: "
            "take both from one net"
        )
