"""Losses of a GAN's two nets from the discriminator's logits of real and of generated images."""

import torch.nn.functional as F
from torch import Tensor

LOSSES = ("logistic", "hinge", "relativistic")


def discriminator_loss(objective: str, real: Tensor, drawn: Tensor, smoothing: float = 0.0) -> Tensor:
    """The discriminator's loss.

    Args:
        objective: `logistic`, the original one (Goodfellow et al., 2014, arXiv:1406.2661); `hinge` (Lim and Ye, 2017,
            arXiv:1705.02894); or `relativistic`, the logistic one of the difference between a real and a generated
            image's logits, without collapsed minima (R3GAN; Huang et al., 2024, arXiv:2501.05441).
        real, drawn: logits [N] of real and of generated images.
        smoothing: what real images' labels fall short of 1, such as 0.1 (one-sided label smoothing; Salimans et al.,
            2016, arXiv:1606.03498); for `logistic` alone.
    """
    if objective == "relativistic":
        return F.softplus(drawn - real).mean()
    if objective == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + drawn).mean()
    certain = F.softplus(-real) + smoothing * real  # cross-entropy with the label 1 - smoothing
    return certain.mean() + F.softplus(drawn).mean()


def generator_loss(objective: str, real: Tensor, drawn: Tensor) -> Tensor:
    """The generator's loss, `logistic` in its non-saturating form; only `relativistic` uses the real images' logits."""
    if objective == "relativistic":
        return F.softplus(real - drawn).mean()
    return -drawn.mean() if objective == "hinge" else F.softplus(-drawn).mean()
