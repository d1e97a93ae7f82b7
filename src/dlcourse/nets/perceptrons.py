"""Many multi-class perceptrons as one matrix, and one epoch of the Adaline rule."""

import torch
from torch import Tensor, nn

BLOCK = 64  # samples whose inner products are computed together


class Perceptrons(nn.Module):
    """S perceptrons of K classes on F features: their matrices [F + 1, K] side by side, the bias in the last row.

    Args:
        weight: the initial weights [F + 1, S K].
        classes: K.
    """

    def __init__(self, weight: Tensor, classes: int):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, F] to logits [N, S, K]; the largest gives the class."""
        return (x @ self.weight[:-1] + self.weight[-1]).view(x.shape[0], -1, self.classes)


def batch_pass(weight: Tensor, x: Tensor, targets: Tensor, lr: float, outputs: Tensor) -> Tensor:
    """One update of all weights from the whole set: dW = lr x (d - out), summed over the samples.

    Args:
        weight: [F + 1, C], changed in place.
        x: samples [N, F + 1]: their features, then a 1.
        targets: d [N, C], 0 or 1.
        lr: learning rate.
        outputs: x @ weight [N, C], computed by the evaluation before.

    Returns:
        The sum of the weights after each update [F + 1, C]; here there is one update.
    """
    return weight.addmm_(x.T, targets - outputs.sigmoid(), alpha=lr)


class OnlinePass:
    """An update after each sample, dW = lr x (d - out), in the stored order, with the arguments of `batch_pass`.

    The output for a sample depends on the earlier updates of its block only through the inner products of the features.
    So a block needs two matrix products, and a sample three calls on vectors of C numbers instead of on all weights.
    Up to rounding, the result equals that of the plain loop.

    Args:
        size: C, the number of targets of a sample.
        like: a tensor with the device and precision of the weights.
    """

    def __init__(self, size: int, like: Tensor):
        self.outputs, self.targets, self.errors = like.new_empty(3, BLOCK, size)
        self.inner = like.new_empty(BLOCK, BLOCK)
        # Views for one sample each, made once: creating them takes as long as using them.
        self.samples = [
            (self.outputs[i], self.errors[:i].T, self.inner[i, :i], self.targets[i], self.errors[i])
            for i in range(BLOCK)
        ]

    def __call__(self, weight: Tensor, x: Tensor, targets: Tensor, lr: float, outputs: Tensor) -> Tensor:
        """One pass; returns the sum of the weights after each update. It ignores `outputs`."""
        total = torch.zeros_like(weight)
        for block, wanted in zip(x.split(BLOCK), targets.split(BLOCK), strict=True):
            count = len(block)
            torch.mm(block, weight, out=self.outputs[:count])
            torch.mm(block, block.T, out=self.inner[:count, :count])
            self.inner.mul_(lr)
            self.targets[:count] = wanted
            for output, earlier, inner, target, error in self.samples[:count]:
                torch.addmv(output, earlier, inner, out=output)
                torch.sub(target, output.sigmoid_(), out=error)
            errors = self.errors[:count]
            left = torch.arange(count, 0, -1, device=x.device, dtype=x.dtype)[
                :, None
            ]  # number of later weights that include this update
            total.add_(weight, alpha=count).addmm_(block.T, errors * left, alpha=lr)
            weight.addmm_(block.T, errors, alpha=lr)
        return total
