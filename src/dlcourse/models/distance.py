"""Classifiers by distance: the nearest class centre and k nearest neighbours, fitted in one pass without gradients."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.analysis import classification
from dlcourse.analysis.distances import centre_distances, class_centres, distances, extreme_pairs, votes
from dlcourse.analysis.reduction import Reduction, check_enough, reduction
from dlcourse.config.values import check_reduce
from dlcourse.data.batches import Batch
from dlcourse.data.task import Task, fine
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule
from dlcourse.training.schedules import constant

TYPES = {"float64": torch.float64, "float32": torch.float32}


class DistanceClassifier(BaseModule):
    """Classifies by Euclidean distance between stored inputs, or between their positions in a 2-D embedding.

    Args:
        task: description of the data, of kind `classes`; of fine and coarse labels it learns the fine ones.
        reduce: `none`, or a method that first embeds the training samples in 2-D: `pca`, `tsne`, `umap`. Every
            evaluated sample, training samples included, is embedded as a new point.
        dtype: of the distances, `float64` or `float32`.
        seed: of the method that reduces.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    kind = "classes"
    extra_plots = ("centres",)
    samples: Tensor  # training samples, flattened [N, D]; empty if predictions do not need them
    labels: Tensor  # [N], likewise
    places: Tensor  # of those on the plane [N, 2]; none without a plane
    centres: Tensor  # mean of each class [K, D] or on the plane [K, 2]; infinite for a class without samples

    def __init__(self, task: Task, reduce: str = "none", dtype: str = "float64", seed: int = 0):
        check_reduce(reduce)
        if dtype not in TYPES:
            raise UserError(f"model.dtype={dtype} is unknown: use {' or '.join(TYPES)}")
        super().__init__(task, _nothing, (len(task.classes),), torch.optim.SGD, constant, seed)
        self.automatic_optimization = False
        self.reduce, self.distance_type = reduce, TYPES[dtype]
        self.plane: Reduction | None = None  # fitted, or restored at first use
        for name in ("samples", "places", "centres"):
            self.register_buffer(name, torch.empty(0))
        self.register_buffer("labels", torch.empty(0, dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_take_shapes)

    @abstractmethod
    def scores(self, points: Tensor) -> Tensor:
        """Scores of each class: points [B, D] to [B, K]; the highest score wins."""

    needs_samples = False  # whether `scores` uses the samples

    # Fitting --------------------------------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        """Fit to the whole training split."""
        x, y = self.trainer.datamodule.placed("train")  # ty: ignore[missing-attribute]
        self.fit_arrays(x.to(self.device), y.to(self.device))
        # Lightning saves checkpoints only after an optimiser step; this model has none, so count one.
        self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.increment_completed()

    def fit_arrays(self, inputs: Tensor, labels: Tensor) -> None:
        """Fit to samples [N, ...] with labels [N] or [N, 2]."""
        samples, labels = self._flat(inputs), fine(labels)
        points = samples
        if self.reduce != "none":
            self.plane = reduction(self.reduce, seed=self.seed)
            check_enough(f"model.reduce={self.reduce}", self.plane.smallest, len(samples))
            self.places = (
                torch.from_numpy(self.plane.fit(samples.cpu().numpy())).to(self.distance_type).to(samples.device)
            )
            points = self.places
        self.centres = class_centres(points, labels, len(self.task.classes), self.distance_type)
        if self.needs_samples or self.plane is not None:
            self.samples, self.labels = samples, labels

    def training_step(self, batch: Batch, batch_idx: int) -> None:  # ty: ignore[incompatible-method-override]
        """Nothing: `on_train_start` has fitted the model."""

    def configure_optimizers(self) -> None:
        """None: the model is fitted without gradients."""

    # Predictions ------------------------------------------------------------------------------------------------------

    def forward(self, inputs: Tensor) -> Tensor:
        """Stored inputs to scores [N, K]."""
        points = self._flat(inputs)
        if self.reduce != "none":
            if self.plane is None:
                self.plane = reduction(self.reduce, seed=self.seed)
                self.plane.restore(self.samples.cpu().numpy(), self.places.cpu().double().numpy())
            points = (
                torch.from_numpy(self.plane.transform(points.cpu().numpy())).to(self.distance_type).to(inputs.device)
            )
        with torch.autocast(inputs.device.type, enabled=False):
            return self.scores(points)

    def _flat(self, inputs: Tensor) -> Tensor:
        if inputs.device.type == "mps" and self.distance_type == torch.float64:
            raise UserError("this device does not support float64: use model.dtype=float32, or trainer=cpu")
        self.check_shape(inputs)
        return inputs.flatten(1)

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Share of wrong predictions."""
        return (output.argmax(1) != fine(labels)).float().mean()

    def _collect(self, batch: Batch) -> None:
        inputs, labels = batch
        output = self(inputs)  # not rounded to float32: the order of nearly equal distances counts
        losses = self.loss(output, labels).expand(len(labels))
        self._gathered.append(self.predictions(output) | {"labels": labels, "loss": losses})

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`classes` [N], the smallest in a tie, and the `scores` [N, K]."""
        return {"classes": output.argmax(1), "scores": output}

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy; for the training split also the distances of the closest and the farthest class centres."""
        found = classification.metrics(answers, self.task)
        if self.split == "train" and self.trainer.state.fn == "test":
            near, far = extreme_pairs(centre_distances(self.centres))
            found |= {"closest_centres": near[2], "farthest_centres": far[2]}
        return found


class NearestCentroid(DistanceClassifier):
    """The class whose mean is nearest (the nearest-centroid rule). Arguments as in `DistanceClassifier`."""

    def scores(self, points: Tensor) -> Tensor:
        """Negative distances to the class centres."""
        return -distances(points, self.centres, self.distance_type)

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """The class, the distance to its centre, and the class of the second nearest centre."""
        scores, order = answers["scores"].topk(2)
        return [
            {"class": self.task.classes[first], "distance": round(-score, 3), "runner_up": self.task.classes[second]}
            for (first, second), score in zip(order.tolist(), scores[:, 0].tolist(), strict=True)
        ]


class KNearestNeighbours(DistanceClassifier):
    """The majority class of the k nearest training samples (Cover and Hart, 1967).

    Ties of votes go to the smallest label; of equally distant samples the first ones vote.

    Args:
        k: neighbours that vote.
        task, reduce, dtype, seed: see `DistanceClassifier`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    needs_samples = True

    def __init__(self, task: Task, k: int = 3, reduce: str = "none", dtype: str = "float64", seed: int = 0):
        if k < 1:
            raise UserError(f"model.k={k} is below 1: use for example 3")
        super().__init__(task, reduce, dtype, seed)
        self.k = k

    def fit_arrays(self, inputs: Tensor, labels: Tensor) -> None:
        """As `DistanceClassifier`; refuses fewer samples than k."""
        if self.k > len(inputs):
            raise UserError(f"model.k={self.k} is larger than the {len(inputs)} training samples: use for example 3")
        super().fit_arrays(inputs, labels)

    def scores(self, points: Tensor) -> Tensor:
        """Votes for each class."""
        fitted = self.places if self.reduce != "none" else self.samples
        return votes(distances(points, fitted, self.distance_type), self.labels, self.k, len(self.task.classes))

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """The class and its number of votes."""
        rows = zip(answers["classes"].tolist(), answers["scores"].amax(1).tolist(), strict=True)
        return [{"class": self.task.classes[c], "votes": f"{int(count)} of {self.k}"} for c, count in rows]


def _nothing(**_: Any) -> nn.Module:
    return nn.Identity()


def _take_shapes(model: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Resize the buffers to the number of samples in the checkpoint."""
    for name in ("samples", "labels", "places", "centres"):
        if prefix + name in state:
            setattr(model, name, torch.empty_like(state[prefix + name]))
