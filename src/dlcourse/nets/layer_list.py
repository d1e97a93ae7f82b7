"""A net written down layer by layer, as sequential models of Keras are: rows F2 to F5."""

from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.nets.layers import Head, initialise, pick, picture_shape

PADDINGS = {"valid": 0, "same": 1}  # pixels on each side of a map
# Keras's defaults, where torch has 1e-5 and 0.1: the running statistics follow ten times as slowly.
EPS, MOMENTUM = 1e-3, 0.01


class LayerList(nn.Module):
    """Layers in the order of their list, then a linear layer that gives the outputs.

    Args:
        in_shape: channels, height, width of the images.
        outputs: sizes of the heads; the net gives their sum.
        layers: `conv 64` is a 3x3 convolution of 64 filters with ReLU, `dense 256` a linear layer of 256 units with
            ReLU, `norm` batch normalisation, `pool` 2x2 max-pooling, `dropout 0.3` dropout. The first dense layer gets
            every pixel of the last map.
        padding: `valid` convolutions make a map 2 pixels smaller on each axis, `same` ones keep its size.
        init: a name in `layers.INITS`.

    Raises:
        ValueError: an entry is not one of these, a convolution follows a dense layer, or the images are too small.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        outputs: Sequence[int],
        layers: Sequence[str] = ("conv 64", "conv 128", "pool", "dropout 0.2"),
        padding: str = "valid",
        init: str = "glorot",
    ):
        super().__init__()
        channels, *sides = picture_shape(in_shape)
        margin = pick(PADDINGS, "padding", padding)
        body: list[nn.Module] = []
        flat = False
        for place, entry in enumerate(layers, 1):
            kind, value = _parsed(entry)
            if kind == "dense" and not flat:
                channels, flat = channels * sides[0] * sides[1], True
                body.append(nn.Flatten())
            if kind in ("conv", "pool") and flat:
                raise ValueError(f"layers: {entry} (entry {place}) follows a dense layer: put it before all of them")
            if kind == "conv":
                sides = [side - 2 + 2 * margin for side in sides]
                body += [nn.Conv2d(channels, int(value), 3, padding=margin), nn.ReLU(inplace=True)]
                channels = int(value)
            elif kind == "dense":
                body += [nn.Linear(channels, int(value)), nn.ReLU(inplace=True)]
                channels = int(value)
            elif kind == "pool":
                sides = [side // 2 for side in sides]
                body.append(nn.MaxPool2d(2))
            elif kind == "norm":
                body.append((nn.BatchNorm1d if flat else nn.BatchNorm2d)(channels, EPS, MOMENTUM))
            else:
                body.append(nn.Dropout(value))
            if min(sides) < 1:
                size = f"{in_shape[1]}x{in_shape[2]}"
                raise ValueError(f"images of {size} are too small for {entry} (entry {place} of layers): give fewer")
        if not flat:
            channels *= sides[0] * sides[1]
            body.append(nn.Flatten())
        self.features = nn.Sequential(*body)
        self.head = Head(channels, sum(outputs))
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled images [N, C, H, W] to [N, sum(outputs)]."""
        return self.head(self.features(x))


def _parsed(entry: str) -> tuple[str, float]:
    """The kind of a layer and its number, 0 where it takes none."""
    kind, _, number = str(entry).partition(" ")
    try:
        value = float(number or 0)
    except ValueError:
        value = -1.0
    sized = kind in ("conv", "dense") and value >= 1 and value == int(value)
    plain = kind in ("norm", "pool") and not number
    if not (sized or plain or (kind == "dropout" and number and 0 <= value < 1)):
        raise ValueError(
            f"layers: '{entry}' is not a layer: write 'conv 64', 'dense 256', 'dropout 0.3', 'norm' or 'pool'"
        )
    return kind, value
