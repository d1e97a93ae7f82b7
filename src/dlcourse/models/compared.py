"""Scores of generated images: their features beside those of training images."""

import logging
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.analysis import fidelity
from dlcourse.analysis.feature_spaces import FeatureSpace, check_choice
from dlcourse.data.images import mean_picture
from dlcourse.data.module import DataModule
from dlcourse.data.task import Task
from dlcourse.models.base import BaseModule

log = logging.getLogger(__name__)

REAL = 5000  # training images in the comparisons
SAMPLES = 2000  # samples in the comparisons at most
QUICK = 100  # images of each kind if only a few batches are tested
SURE = 0.9  # probability from which a judge counts as sure


class ComparedImages(BaseModule):
    """A model whose images are compared with training images in a named feature space at the end of a run.

    The scores of other real images and of the mean training image serve as reference.

    Args:
        features: name of the feature space, see `dlcourse.models.run_features.feature_space`.
        task, net, outputs, optimizer, schedule, seed: see `BaseModule`.
    """

    samples = True  # whether it generates images from noise; otherwise its reconstructions are compared

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        outputs: tuple[int, ...],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        features: str = "auto",
    ):
        check_choice(features)
        super().__init__(task, net, outputs, optimizer, schedule, seed)
        self.features = features
        self.data: DataModule | None = None  # the data to compare generated images with
        self.space: FeatureSpace | None = None
        self._real: dict[str, Tensor] = {}
        self._class_shares: dict[str, Any] = {}  # of the samples and of the split's images, as the judge sees them
        self._counts: list[int] = []  # of compared images: the model's, the training split's

    @abstractmethod
    def sampled(self, count: int, *step: int) -> Tensor:
        """Generate `count` samples as stored images, a function of (seed, step)."""

    @abstractmethod
    def reconstructed(self, images: Tensor) -> Tensor:
        """Reconstructions of stored images."""

    def attach_data(self, data: DataModule) -> None:
        """Compare with the training images of this data from now on."""
        self.data = data
        self._real.clear()

    def extra_results(self) -> dict[str, Any]:
        """The feature space, how many images were compared with how many, and each class's share, for result.json."""
        if self.space is None:
            return {}
        return {"features": self.space.name, "compared": self._counts} | self._class_shares

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """The scores of `compared` at a test; nothing for a validation during training."""
        testing = self.trainer.state.fn == "test" and self.split != "train" and self.data is not None
        return self.compared(len(answers["labels"])) if testing else {}

    def compared(self, count: int) -> dict[str, float]:
        """Compare samples, the first `count` images of `split` and the training mean with training images.

        Returns:
            `frechet_distance`, `kid`, `precision`, `recall` and `variety` of samples, or of reconstructions as
            `reconstruction_...` if the model cannot sample; the same of the split's own images as `real_...`; the first
            two of the mean image as `mean_picture_...`; and `nearest_ratio`, the median distance of a sample to its
            nearest training image divided by that of a real image: far below 1, the model memorised images.
            If the feature space is a classifier, `judge_sure` and `real_judge_sure` are the shares of images that it
            classifies with at least 90 % confidence, `smallest_class` and `largest_class` the shares of two classes.
        """
        assert self.data is not None
        quick = isinstance(self.trainer.limit_test_batches, int)
        count, most = (min(count, QUICK), QUICK) if quick else (min(count, SAMPLES), REAL)
        if count < QUICK and not quick:
            log.warning("only %d images are compared: distances between so few images are unreliable", count)
        real = self.real_features(most)
        self._counts = [count, len(real)]
        own = self.data.arrays[self.split][0][:count]
        folder, space = self._cache(), self._space()
        known = fidelity.gaussian(real)
        if self.samples:
            drawn, name = self.sampled(count, 1), ""
        else:
            drawn, name = self.reconstructed(own), "reconstruction_"
        ours, theirs = self.features_of(drawn), space.cached(own, folder)
        mean = self.features_of(self.mean_picture()[None]).expand(count, -1)
        found = {f"{name}{key}": value for key, value in fidelity.compare(ours, real, known).items()}
        if self.samples:
            near, floor = (fidelity.nearest(f, real)[0].median().item() for f in (ours, theirs))
            found["nearest_ratio"] = near / floor if floor else float("nan")
        if self.samples and space.classify is not None:
            found |= self._judged(drawn, own)
        found |= {f"real_{key}": value for key, value in fidelity.compare(theirs, real, known).items()}
        found["mean_picture_frechet_distance"] = fidelity.frechet_distance(fidelity.gaussian(mean), known)
        found["mean_picture_kid"] = fidelity.kernel_distance(mean, real[:count])
        return found

    def _judged(self, drawn: Tensor, own: Tensor) -> dict[str, float]:
        """How sure a classifier is of samples and of real images, and how evenly samples fall into its classes."""
        found: dict[str, float] = {}
        for name, images in (("", drawn), ("real_", own)):
            probabilities = self._space().probabilities(images)
            assert probabilities is not None
            sure, classes = probabilities.max(1)
            shares = torch.bincount(classes, minlength=probabilities.shape[1]) / len(classes)
            found[f"{name}judge_sure"] = (sure > SURE).float().mean().item()
            self._class_shares[f"{name}class_shares"] = [round(share, 4) for share in shares.tolist()]
            if not name:
                found |= {"smallest_class": shares.min().item(), "largest_class": shares.max().item()}
        return found

    def real_features(self, most: int | None = None) -> Tensor:
        """Features [M, D] of the first `most` training images; by default as many as in the comparison."""
        assert self.data is not None
        most = most or (self._counts[1] if self._counts else REAL)
        key = f"features{most}"
        if key not in self._real:
            images = self.data.arrays["train"][0][:most]
            self._real[key] = self._space().cached(images, self._cache())
        return self._real[key]

    def features_of(self, images: Tensor) -> Tensor:
        """Features [N, D] of stored images, in the model's feature space."""
        return self._space()(images)

    def mean_picture(self) -> Tensor:
        """Mean of the training images, as a stored image."""
        assert self.data is not None
        if "mean" not in self._real:
            self._real["mean"] = mean_picture(self.data.arrays["train"][0])
        return self._real["mean"]

    def _space(self) -> FeatureSpace:
        if self.space is None:
            from dlcourse.models.run_features import feature_space  # imports this module through build

            self.space = feature_space(self.features, self.device)
        return self.space

    def _cache(self) -> Path | None:
        folder = getattr(self.data, "data_dir", None)
        return Path(folder) if folder else None
