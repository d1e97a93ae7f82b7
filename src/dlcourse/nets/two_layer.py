"""Many small nets with one hidden sigmoid layer and one sigmoid output, as one batch of weights."""

import torch
from torch import Tensor, nn


class TwoLayer(nn.Module):
    """R nets with I inputs, H hidden units and one output, all with a bias.

    A net's weights are a column of `weight` [P, R], P = (I + 1) H + H + 1: the hidden units' biases, their weights of
    the first input, of the second ..., then the output's bias and its weights of the hidden units. So the weights of
    one input to all hidden units of all nets are adjacent, and one matrix product computes them all.

    Args:
        weight: the initial weights [P, R].
        hidden: H.
    """

    def __init__(self, weight: Tensor, hidden: int):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        """Inputs [N, I] to logits [N, R]: above 0 is class 1."""
        into, out = self.weight[: -self.hidden - 1], self.weight[-self.hidden - 1 :]
        units = with_bias(x) @ into.view(x.shape[1] + 1, -1)
        return out[0] + (units.view(x.shape[0], self.hidden, -1).sigmoid() * out[1:]).sum(1)


def with_bias(x: Tensor) -> Tensor:
    """Prepend a one to inputs [N, I]: [N, I + 1]."""
    return torch.cat([x.new_ones(x.shape[0], 1), x], 1)


def from_units(weights: Tensor, hidden: int) -> Tensor:
    """Convert weights [R, P] in the course's order (unit by unit, each bias first) to `TwoLayer`'s order."""
    into, out = weights[:, : -hidden - 1], weights[:, -hidden - 1 :]
    into = into.view(len(weights), hidden, -1).transpose(1, 2).flatten(1)
    return torch.cat([into, out], 1).T.contiguous()


@torch.inference_mode()
def descend(
    weight: Tensor, inputs: Tensor, targets: Tensor, hidden: int, lr: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Full-batch gradient descent on half the mean squared error with explicit gradients: the delta rule of row B1.

    For such small nets autograd and a test for convergence would take most of the time. So all steps are stored, and
    the caller finds the first solution afterwards.

    Args:
        weight: [P, R], as in `TwoLayer`.
        inputs: [N, I].
        targets: [N], 0 or 1.
        hidden: H.
        lr: learning rates [R], or one.
        steps: number of updates.

    Returns:
        The weights before each update and after the last [steps + 1, P, R], and the outputs before each update
        [steps, N, R].
    """
    x, wanted = with_bias(inputs), targets[:, None]
    (count, size), rows, nets = x.shape, len(weight) - hidden - 1, weight.shape[1]
    way, outputs = weight.new_empty(steps + 1, *weight.shape), weight.new_empty(steps, count, nets)
    way[0], rate, back = weight, lr / count, x.T
    units = weight.new_ones(count, hidden + 1, nets)  # the bias of the output, then the hidden units
    active, flat = units[:, 1:], units.view(count, -1)[:, nets:]  # the latter, and as a matrix [N, H R]
    product, error, change = torch.empty_like(units), weight.new_empty(count, 1, nets), torch.empty_like(weight)
    through = torch.empty_like(active)
    through_flat = through.view(count, -1)
    narrow, into, out = error[:, 0], change[:rows].view(size, -1), change[rows:]
    slope = torch.ops.aten.sigmoid_backward.grad_input  # of (e, y): e y (1 - y)
    # All views of the iterations are made beforehand, in one call each: the calls take most of the time.
    views = (way, way[1:], way[:, :rows].view(steps + 1, size, -1), way[:, rows:], way[:, rows + 1 :], outputs)
    for before, after, first, second, heads, output in zip(*(view.unbind() for view in views), strict=False):
        torch.mm(x, first, out=flat)
        active.sigmoid_()
        torch.mul(units, second, out=product)
        torch.sum(product, 1, out=output).sigmoid_()
        slope(torch.sub(wanted, output, out=narrow), output, grad_input=narrow)  # (d - out) phi'
        torch.mul(units, error, out=product)
        torch.sum(product, 0, out=out)
        slope(torch.mul(error, heads, out=through), active, grad_input=through)
        torch.mm(back, through_flat, out=into)
        torch.addcmul(before, change, rate, out=after)
    return way, outputs
