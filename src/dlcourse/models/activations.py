"""Features of a run: the inputs of its net's last linear layer."""

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.models.base import BaseModule


def features(model: BaseModule, inputs: Tensor) -> Tensor:
    """The inputs of the last linear layer of a model's net: stored inputs [N, ...] to features [N, D].

    Raises:
        UserError: the net does not have a linear layer.
    """
    layer_inputs: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: layer_inputs.append(args[0].detach()))
        for layer in model.net.modules()
        if isinstance(layer, nn.Linear)
    ]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    found = []
    with torch.inference_mode():
        for batch in inputs.split(BATCH):
            layer_inputs.clear()
            model(batch.to(device))
            if not layer_inputs:
                raise UserError(f"{type(model).__name__} does not have a linear layer, which features are taken from")
            found.append(layer_inputs[-1].float().cpu())  # of the last layer that was used
    for hook in hooks:
        hook.remove()
    return torch.cat(found)


BATCH = 500
