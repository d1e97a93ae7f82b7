"""Feature spaces by name or from the net of a run."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from dlcourse.analysis.feature_spaces import CHOICES, FeatureSpace, check_choice, named_space
from dlcourse.data.task import as_stored
from dlcourse.errors import UserError
from dlcourse.models.activations import features
from dlcourse.models.build import load_run
from dlcourse.models.classifier import Classifier
from dlcourse.runs.folders import weights_file


def feature_space(choice: str = "auto", device: torch.device | str = "cpu") -> FeatureSpace:
    """The feature space that `model.features=` names.

    Args:
        choice: a name, see `named_space`, or the folder of a run.
        device: where the net runs.

    Raises:
        UserError: the name is unknown, its package is not installed, or the run is not of square images.
    """
    check_choice(choice)
    return named_space(choice, device) if choice in CHOICES else _of_run(Path(choice), device)


def _of_run(folder: Path, device: torch.device | str) -> FeatureSpace:
    """The latents of a run's encoder, or the inputs of a classifier's last layer."""
    cfg, model = load_run(folder)
    shape = model.task.picture_shape()
    if shape is None or shape[1] != shape[2]:
        raise UserError(f"model.features={folder} was trained on {model.task.shape_text()}: use a run on square images")
    model = model.eval().requires_grad_(False).to(device)

    def stored(x: Tensor) -> Tensor:
        if shape[0] == 1:
            return as_stored(rgb_to_grayscale(x)[:, 0].round().byte(), model.task)
        return as_stored(x.round().byte().permute(0, 2, 3, 1), model.task)

    def net(x: Tensor) -> Tensor:
        return features(model, stored(x))

    def classify(x: Tensor) -> Tensor:
        return model.predictions(model(stored(x)).float())["probabilities"]

    digest = hashlib.sha256(weights_file(folder).read_bytes()).hexdigest()[:8]
    return FeatureSpace(
        f"{cfg.model.name}_{cfg.data.name}_{digest}",
        shape[1],
        device,
        net,
        classify if isinstance(model, Classifier) else None,
    )
