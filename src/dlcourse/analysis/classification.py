"""Analysis of a classifier's predictions: metrics, hardest classes, confusion, calibration and worst mistakes.

All functions take the predictions of a split, a dict of tensors on the CPU whose first dimension is N:
`labels` int64 [N] or [N, 2] (fine and coarse class), and `probabilities` float32 [N, K] or, from a classifier without
probabilities, `classes` int64 [N].
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error, multiclass_confusion_matrix

from dlcourse.data.task import fine

BINS = 15  # of confidence, the usual number where calibration errors are reported
TOP = 5
# torchmetrics takes anything above 1, as rounding makes it, for logits, and gives a bin of its own to exactly 1.
SUREST = 1 - 2**-24


class Classes(Protocol):
    """Class description of a task: names, names of the groups, and the group of each class."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def group_of(self) -> tuple[int, ...]: ...


class ClassError(NamedTuple):
    """Error of a class: `error` is the share of its `count` images that are misclassified, NaN without images."""

    name: str
    count: int
    wrong: int
    error: float
    mostly: str  # the most frequent wrong answer, empty where there is none


class Pair(NamedTuple):
    """How often one class is predicted for another; `share` is that of the true class's images."""

    truth: int
    answered: int
    count: int
    share: float


class Bin(NamedTuple):
    """Predictions with similar confidence; the means are NaN for an empty bin."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def metrics(answers: Mapping[str, Tensor], task: Classes) -> dict[str, float]:
    """The metrics of a split, as shares of 1.

    Args:
        answers: predictions of the split, see the module.
        task: description of the data set.

    Returns:
        `accuracy`; `top5_accuracy` with more than ten classes; `coarse_accuracy` if the labels have two columns; `ece`,
        the expected calibration error. Metrics that need probabilities are omitted without them.
    """
    truth, probabilities = true_class(answers), answers.get("probabilities")
    right = answered_class(answers) == truth
    found = {"accuracy": right.float().mean().item()}
    if probabilities is not None and probabilities.shape[1] > 2 * TOP:
        # a quarter of the time of multiclass_accuracy(top_k=5), in each epoch
        found["top5_accuracy"] = (probabilities.topk(TOP).indices == truth[:, None]).any(1).float().mean().item()
    if answers["labels"].ndim == 2:
        found["coarse_accuracy"] = (answered_group(answers, task) == answers["labels"][:, 1]).float().mean().item()
    if probabilities is not None:
        found["ece"] = calibration_error(probabilities.amax(1), right)
    return found


def true_class(answers: Mapping[str, Tensor]) -> Tensor:
    """The true class [N]; of two label columns, the fine one."""
    return fine(answers["labels"])


def answered_class(answers: Mapping[str, Tensor]) -> Tensor:
    """The predicted class [N], with probabilities or without."""
    return answers["probabilities"].argmax(1) if "probabilities" in answers else answers["classes"]


def answered_group(answers: Mapping[str, Tensor], task: Classes) -> Tensor:
    """The predicted group [N]: the one with the largest sum of probabilities, else the predicted class's group."""
    group_of = torch.tensor(task.group_of)
    if "probabilities" not in answers:
        return group_of[answers["classes"]]
    probabilities = answers["probabilities"]
    summed = probabilities.new_zeros(len(probabilities), len(task.groups))
    return summed.index_add_(1, group_of, probabilities).argmax(1)


def confidences(answers: Mapping[str, Tensor]) -> Tensor | None:
    """The probability [N] of the predicted class; None without probabilities."""
    return answers["probabilities"].amax(1) if "probabilities" in answers else None


def doubt_threshold(sure: Tensor, right: Tensor, least: int = 5) -> float:
    """The confidence that best separates wrong predictions (below it) from correct ones; 0 if there is none.

    Args:
        sure: confidence [N] of predictions on held-out images.
        right: whether each is correct [N].
        least: smallest number of predictions below the threshold; with fewer the result is 0.
    """
    order = sure.argsort(stable=True)
    balance = (2 * right[order].long() - 1).cumsum(0)  # right less wrong answers up to each confidence
    last = int(balance.argmin())
    if balance[last] >= 0 or last + 1 < least:
        return 0.0
    return round(sure[order[min(last + 1, len(order) - 1)]].item(), 4)


def confusion(answered: Tensor, truth: Tensor, count: int) -> Tensor:
    """The confusion matrix int64 [count, count]: rows are true classes, columns are predicted classes.

    Args:
        answered, truth: classes [N].
        count: number of classes; some may be missing from the split.
    """
    return multiclass_confusion_matrix(answered, truth, count, validate_args=False)


def class_errors(matrix: Tensor, names: Sequence[str]) -> list[ClassError]:
    """The classes sorted by error, largest first; classes without images come last.

    Args:
        matrix: from `confusion`.
        names: names of its classes.
    """
    counts, right = matrix.sum(1).tolist(), matrix.diagonal().tolist()
    missed = matrix - matrix.diagonal().diag()
    often, mostly = (part.tolist() for part in missed.max(1))
    rows = [
        ClassError(
            name,
            counts[i],
            counts[i] - right[i],
            1 - right[i] / counts[i] if counts[i] else math.nan,
            names[mostly[i]] if often[i] else "",
        )
        for i, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: -row.error if row.count else math.inf)


def confused_pairs(matrix: Tensor, count: int = 15) -> list[Pair]:
    """The most frequent mistakes: pairs of a true and a predicted class.

    Args:
        matrix: from `confusion`.
        count: maximum number of pairs.
    """
    totals = matrix.sum(1)
    missed = (matrix - matrix.diagonal().diag()).flatten()
    order = missed.argsort(descending=True, stable=True)[:count]
    pairs = [
        (i // len(matrix), i % len(matrix), n) for i, n in zip(order.tolist(), missed[order].tolist(), strict=True)
    ]
    return [Pair(truth, answered, n, n / totals[truth].item()) for truth, answered, n in pairs if n]


def calibration_bins(confidence: Tensor, right: Tensor, bins: int = BINS) -> list[Bin]:
    """Mean confidence and accuracy of the predictions in bins of equal width of their confidence.

    Args:
        confidence: confidence of the predictions [N], 0 to 1.
        right: whether each is correct [N], bool.
        bins: number of bins.
    """
    sure = confidence.clamp(0, SUREST)
    edges = torch.linspace(0, 1, bins + 1)
    place = torch.bucketize(sure, edges, right=True) - 1
    counts = torch.bincount(place, minlength=bins)
    means = [torch.bincount(place, values.double(), bins) / counts for values in (sure, right)]
    columns = (edges[:-1], edges[1:], counts, *means)
    return [Bin(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """The expected calibration error: mean difference of confidence and accuracy over bins, weighted by their size.

    Args:
        confidence: confidence of the predictions [N], 0 to 1.
        right: whether each is correct [N], bool.
        bins: number of bins of equal width.
    """
    # what multiclass_calibration_error comes to, without going through all probabilities again
    return binary_calibration_error(confidence.clamp(0, SUREST), right.long(), bins, validate_args=False).item()


def worst_mistakes(answers: Mapping[str, Tensor], count: int = 24) -> Tensor:
    """Indices of the wrong predictions with the highest confidence, highest first, at most `count`.

    Without probabilities: the first mistakes of the split.
    """
    wrong = (answered_class(answers) != true_class(answers)).nonzero().flatten()
    sure = confidences(answers)
    return (wrong if sure is None else wrong[sure[wrong].argsort(descending=True, stable=True)])[:count]
