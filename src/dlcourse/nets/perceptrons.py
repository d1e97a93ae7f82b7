"""Many perceptrons of several classes as one matrix, and a pass of the Adaline rule over their training set."""

import torch
from torch import Tensor, nn

BLOCK = 64  # samples whose inner products are computed at once


class Perceptrons(nn.Module):
    """S perceptrons of K classes on F features, whose matrices [F + 1, K] lie side by side, the bias last.

    Args:
        weight: the starting weights [F + 1, S K].
        classes: K.
    """

    def __init__(self, weight: Tensor, classes: int):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, F] to the outputs' arguments [N, S, K]; the largest is the answer."""
        return (x @ self.weight[:-1] + self.weight[-1]).view(len(x), -1, self.classes)


def batch_pass(weight: Tensor, x: Tensor, targets: Tensor, lr: float, outputs: Tensor) -> Tensor:
    """One update of all weights by the whole set: dW = lr x (d - out), summed over the samples.

    Args:
        weight: [F + 1, C], changed in place.
        x: samples with a 1 behind their features [N, F + 1].
        targets: d [N, C], 0 or 1.
        lr: learning rate.
        outputs: x @ weight [N, C], which judging the weights has computed before.

    Returns:
        The sum of the weights after each update [F + 1, C], here of one.
    """
    return weight.addmm_(x.T, targets - outputs.sigmoid(), alpha=lr)


class OnlinePass:
    """An update after each sample, dW = lr x (d - out), in the stored order, with the arguments of `batch_pass`.

    The output for a sample depends on the updates before it in its block only by the inner products of their features.
    So a block takes two matrix products, and a sample three calls on vectors of C numbers instead of on all weights;
    but for rounding the result is that of the plain loop.

    Args:
        size: C, numbers that a sample has targets for.
        like: a tensor of the device and precision that the weights have.
    """

    def __init__(self, size: int, like: Tensor):
        self.outputs, self.targets, self.errors = like.new_empty(3, BLOCK, size)
        self.inner = like.new_empty(BLOCK, BLOCK)
        # One sample's views: making them takes as long as using them.
        self.samples = [
            (self.outputs[i], self.errors[:i].T, self.inner[i, :i], self.targets[i], self.errors[i])
            for i in range(BLOCK)
        ]

    def __call__(self, weight: Tensor, x: Tensor, targets: Tensor, lr: float, outputs: Tensor) -> Tensor:
        """One pass; gives the sum of the weights after each update. It has no use for `outputs`."""
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
            left = torch.arange(count, 0, -1, device=x.device, dtype=x.dtype)[:, None]  # updates that still have it
            total.add_(weight, alpha=count).addmm_(block.T, errors * left, alpha=lr)
            weight.addmm_(block.T, errors, alpha=lr)
        return total
