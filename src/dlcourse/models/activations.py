"""Features of a run: the inputs of its net's last linear layer."""

import torch
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.models.answers import layer_inputs
from dlcourse.models.base import BaseModule

BATCH = 500


def features(model: BaseModule, inputs: Tensor) -> Tensor:
    """The inputs of the last linear layer of a model's net; of a generative model the latents.

    Args:
        model: a `BaseModule`.
        inputs: as stored, [N, ...].

    Returns:
        Features [N, D] on the CPU.

    Raises:
        UserError: the model has no such layer or no encoder.
    """
    model.eval()
    if model.kind == "pictures":
        return model.latents(inputs)  # ty: ignore[not-callable]
    found = []
    with torch.inference_mode(), layer_inputs(model.net) as seen:
        for batch in inputs.split(BATCH):
            seen.clear()
            model(batch.to(model.device))
            if not seen or len(seen[-1]) != len(batch):  # none, or one that sees only some of the images
                raise UserError(
                    f"{type(model).__name__} has no linear layer that features can be taken from: use another run"
                )
            found.append(seen[-1].float().cpu())  # of the last layer that was used
    return torch.cat(found)
