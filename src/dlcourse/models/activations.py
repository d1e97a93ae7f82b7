"""Features of a run: the inputs of its net's last linear layer."""

import torch
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.models.answers import layer_inputs
from dlcourse.models.base import BaseModule

BATCH = 500


def features(model: BaseModule, inputs: Tensor) -> Tensor:
    """The inputs of the last linear layer of a model's net: stored inputs [N, ...] to features [N, D] on the CPU.

    Raises:
        UserError: the net does not have a linear layer.
    """
    model.eval()
    found = []
    with torch.inference_mode(), layer_inputs(model.net) as seen:
        for batch in inputs.split(BATCH):
            seen.clear()
            model(batch.to(model.device))
            if not seen:
                raise UserError(f"{type(model).__name__} does not have a linear layer, which features are taken from")
            found.append(seen[-1].float().cpu())  # of the last layer that was used
    return torch.cat(found)
