"""A model's predictions for images as plain arrays."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.clocks.encodings import confidence

BATCH = 100


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of a model for N images, returned by `BaseModule.predict`.

    Attributes:
        names: prediction for each image: the name of the class, or the time as text, such as `10:09`.
        class_names: names of the K classes; empty for clocks.
        probabilities: float32 [N, K]; for a clock reader [N, 720], for each minute of the dial from 12:00 on. None if
            the model does not compute them (nearest centroid, perceptron, and clock readers that output a number).
        confidence: probability of each prediction [N]; for a time, that of all minutes within one minute. Or None.
        minutes: for clocks, the predicted time in minutes after 12:00 [N], with fractions; else None.
        embeddings: inputs of the net's last linear layer, float32 [N, D]; None without such a layer.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None
    confidence: np.ndarray | None = None
    minutes: np.ndarray | None = None
    embeddings: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    def columns(self) -> dict[str, np.ndarray]:
        """The probabilities by column of a table [N]: `p_<class>`; of clocks `p_hour_<h>` and `p_minute_<m>`."""
        if self.probabilities is None:
            return {}
        if self.minutes is None:
            return {f"p_{name}": p for name, p in zip(self.class_names, self.probabilities.T, strict=True)}
        dial = self.probabilities.reshape(-1, 12, 60)
        hours, minutes = dial.sum(2).T, dial.sum(1).T
        found = {f"p_hour_{hour or 12}": p for hour, p in enumerate(hours)}
        return found | {f"p_minute_{minute:02d}": p for minute, p in enumerate(minutes)}

    def arrays(self) -> dict[str, np.ndarray]:
        """All attributes that are not None as arrays, for an .npz file; names as text."""
        return {name: np.asarray(value) for name, value in vars(self).items() if value is not None and len(value)}


@contextmanager
def layer_inputs(net: nn.Module) -> Generator[list[Tensor]]:
    """A list that receives the input of each linear layer of a net, in the order of their use."""
    found: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: found.append(args[0].detach()))
        for layer in net.modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def predict_batches(model: Any, batches: Iterable[Tensor]) -> tuple[dict[str, Tensor], Predictions]:
    """A model's predictions for N stored inputs: as tensors on the CPU by name, and as plain arrays.

    Args:
        model: a `BaseModule`.
        batches: at least one; inputs [B, ...] as its task stores them, on the CPU, of at most `BATCH` each. They may be
            made one after the other, so that the inputs never all need memory.

    Raises:
        UserError: the model does not predict, or does not fit the inputs.
    """
    parts: list[dict[str, Tensor]] = []
    embedded: list[Tensor] = []
    model.eval()
    with torch.inference_mode(), layer_inputs(model.net) as seen:
        for batch in batches:
            seen.clear()
            parts.append({k: v.cpu() for k, v in model.predictions(model(batch.to(model.device))).items()})
            if model.embeds and seen and len(seen[-1]) == len(batch):
                embedded.append(seen[-1].flatten(1).float().cpu())
    found = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    embeddings = torch.cat(embedded).numpy() if len(embedded) == len(parts) else None
    return found, _plain(model, found, embeddings)


def _plain(model: Any, found: dict[str, Tensor], embeddings: np.ndarray | None) -> Predictions:
    rows: list[dict[str, Any]] = model.format_predictions(found)
    probabilities, minutes = found.get("probabilities"), found.get("minutes")
    sure = None
    if probabilities is not None:
        sure = probabilities.amax(1) if minutes is None else confidence(probabilities, minutes)[0]
    return Predictions(
        tuple(str(row.get("time" if minutes is not None else "class")) for row in rows),
        tuple(model.task.classes),
        *(part.float().numpy() if part is not None else None for part in (probabilities, sure, minutes)),
        embeddings,
    )
