"""Features of a run: the inputs of its net's last linear layer."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule

BATCH = 500


@contextmanager
def layer_inputs(model: BaseModule) -> Generator[list[Tensor]]:
    """A list that receives the input of each linear layer of a model's net, in the order of their use."""
    found: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: found.append(args[0].detach()))
        for layer in model.net.modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def features(model: BaseModule, inputs: Tensor) -> Tensor:
    """The inputs of the last linear layer of a model's net: stored inputs [N, ...] to features [N, D].

    Raises:
        UserError: the net does not have a linear layer.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    found = []
    with torch.inference_mode(), layer_inputs(model) as seen:
        for batch in inputs.split(BATCH):
            seen.clear()
            model(batch.to(device))
            if not seen:
                raise UserError(f"{type(model).__name__} does not have a linear layer, which features are taken from")
            found.append(seen[-1].float().cpu())  # of the last layer that was used
    return torch.cat(found)
