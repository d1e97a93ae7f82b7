"""Classifiers: any net on images or features, with one label or with a fine and a coarse label."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcourse.analysis import classification
from dlcourse.data.task import Task, fine
from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule

VIEWS = ("none", "mirror", "shift", "mirror_shift")


class Classifier(BaseModule):
    """Learns classes by cross-entropy; if there are fine and coarse labels, it learns the fine ones.

    Args:
        task: description of the data, of kind `classes`.
        net: makes the net from (in_shape, outputs).
        optimizer, schedule, seed: see `BaseModule`.
        label_smoothing: fraction of the target that is spread over all classes.
        l1, l2: weight of the sum of absolute or squared weights (of matrices and filters) in the training loss.
        mixup: parameter of the Beta distribution by which pairs of inputs are mixed (Zhang et al., 2017,
            arXiv:1710.09412); 0 mixes none.
        class_weights: `auto` weights the training loss of each class by its inverse frequency; None weights all alike.
        tta: test-time augmentation, reported apart as accuracy_tta: the mean answer to the image and its `mirror`
            image, to it and two `shift`s by a pixel, or to all six of them; `none` reports nothing.
        scaling: see `BaseModule.scale_inputs`.

    Raises:
        UserError: an argument is out of range, or does not fit the data.
    """

    kind = "classes"
    always_measured = ("val/loss", "val/accuracy")
    class_weights: Tensor | None

    def __init__(
        self,
        task: Task,
        net: Callable[..., nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., dict[str, Any]],
        seed: int = 0,
        label_smoothing: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        mixup: float = 0.0,
        tta: str = "none",
        scaling: str = "statistics",
        class_weights: str | None = None,
    ):
        if tta not in VIEWS:
            raise UserError(f"model.tta={tta} is unknown: use {', '.join(VIEWS)}")
        if not 0 <= label_smoothing < 1:
            raise UserError(f"model.label_smoothing={label_smoothing} is out of range: use 0 to 0.5")
        if min(mixup, l1, l2) < 0:
            raise UserError(f"model.mixup={mixup}, model.l1={l1} and model.l2={l2} must be 0 or more")
        super().__init__(task, net, (len(task.classes),), optimizer, schedule, seed)
        self.scale_inputs(scaling)
        if class_weights not in (None, "auto"):
            raise UserError(f"model.class_weights={class_weights} is unknown: use auto or null")
        if class_weights and not task.class_counts:
            raise UserError(
                f"model.class_weights=auto needs the number of images of each class, unknown for {task.data}: use null"
            )
        counts = torch.tensor(task.class_counts or (1,), dtype=torch.float32).clamp_min(1)
        self.register_buffer(
            "class_weights", counts.sum() / (len(counts) * counts) if class_weights else None, persistent=False
        )
        self.label_smoothing, self.l1, self.l2, self.mixup = label_smoothing, l1, l2, mixup
        self.tta = tta if len(task.in_shape) == 3 else "none"

    def loss(self, output: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy with the labels [N], or the fine labels of [N, 2]."""
        return F.cross_entropy(output, fine(labels))

    def training_loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy with label smoothing and mixup, plus the L1 and L2 penalties and the net's own."""
        x, target = self.normalize(inputs), fine(labels)
        if self.mixup:
            share = torch.distributions.Beta(self.mixup, self.mixup).sample().to(x.device)
            other = target.roll(1)
            x = share * x + (1 - share) * x.roll(1, 0)
            output = self.net(x)
            first, second = (self._cross_entropy(output, t) for t in (target, other))
            loss = share * first + (1 - share) * second
            target = torch.where(share >= 0.5, target, other)
        else:
            output = self.net(x)
            loss = self._cross_entropy(output, target)
        self.note("accuracy", (output.detach().argmax(1) == target).float().mean())
        if self.l1 or self.l2:
            self.note("cross_entropy", loss)  # train/loss without the penalties, comparable with val/loss
        for weight, power in ((self.l1, 1), (self.l2, 2)):
            if weight:
                loss = loss + weight * sum(w.abs().pow(power).sum() for w in self.net.parameters() if w.ndim > 1)
        return self.penalized(loss)

    def _cross_entropy(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, self.class_weights, label_smoothing=self.label_smoothing)

    def predictions(self, output: Tensor) -> dict[str, Tensor]:
        """`probabilities` [N, K]."""
        return {"probabilities": output.softmax(1)}

    def test_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Collect the predictions of one batch; for `val` and `test` also those of test-time augmentation."""
        super().test_step(batch, batch_idx)
        if self.tta != "none" and self.split != "train":
            self._gathered[-1]["probabilities_tta"] = self.predictions(self._mean_output(batch[0]))["probabilities"]
        return self._gathered[-1]

    def _mean_output(self, inputs: Tensor) -> Tensor:
        """Weighted mean of the outputs over the views [N, K]; the image weighs as much as its two shifts together."""
        x = self.normalize(inputs)
        views = [(x, 1.0)]
        if "shift" in self.tta:
            height, width = x.shape[2:]
            padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
            views = [(x, 0.5), (padded[:, :, :height, :width], 0.25), (padded[:, :, 2:, 2:], 0.25)]
        if "mirror" in self.tta:
            views = [(image, w / 2) for view, w in views for image in (view, view.flip(3))]
        return torch.stack([w * self.net(view).float() for view, w in views]).sum(0)

    def compute_metrics(self, answers: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy, accuracy of the coarse classes if there are any, calibration; see `classification.metrics`."""
        found = classification.metrics(answers, self.task)
        if "probabilities_tta" in answers:
            hits = answers["probabilities_tta"].argmax(1) == fine(answers["labels"])
            found["accuracy_tta"] = hits.float().mean().item()
        return found

    def judged_confidence(self) -> tuple[Tensor, Tensor] | None:
        """As in `BaseModule`: the probability of the predicted class."""
        answers = self.last_predictions
        sure = classification.confidences(answers)
        if sure is None:
            return None
        return sure, classification.answered_class(answers) == classification.true_class(answers)

    def format_predictions(self, answers: dict[str, Tensor]) -> list[dict[str, Any]]:
        """Class, confidence and runner-up; the coarse class if there is one."""
        sure, order = answers["probabilities"].topk(2)
        rows = []
        for (first, second), probability in zip(order.tolist(), sure[:, 0].tolist(), strict=True):
            row = {"class": self.task.classes[first], "confidence": round(probability, 3)}
            if self.task.groups:
                row["group"] = self.task.groups[self.task.group_of[first]]
            rows.append(row | {"runner_up": self.task.classes[second]})
        return rows
