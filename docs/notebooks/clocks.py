# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Clocks: how to encode a time
#
# A net reads an analog clock. The most important choice comes before the first layer: which numbers should encode the
# time? The lesson *Clocks: how to encode a time* has the questions with their answers. The clocks are rendered, so
# nothing is downloaded.

# %%
import os
import subprocess
import sys
from importlib.util import find_spec

# The project: in a copy of it, its folder; elsewhere, as in Colab, the address of a copy, such as
# "git+https://github.com/NAME/dlcourse".
SOURCE = "../.."
if find_spec("dlcourse") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", SOURCE], check=True)

DEBUG = os.environ.get("DLCOURSE_DEBUG") == "1"  # true: everything in seconds, to see that the cells run

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from dlcourse import compose, load_run, run
from dlcourse.clocks.encodings import Cyclic, MultiHead, Regression, circular_error, clock_text
from dlcourse.models.build import build_data
from dlcourse.runs.folders import unique_folder

torch.manual_seed(0)

# %% [markdown]
# ## The error of a time
#
# 11:59 and 12:01 are two minutes apart, not 718: the error is the shorter distance around the dial.

# %%
a, b = torch.tensor([719]), torch.tensor([1])  # minutes of the dial
print(
    clock_text(719), clock_text(1), "plain difference", (a - b).abs().item(), "on the dial", circular_error(a, b).item()
)

# %% [markdown]
# ## Three encodings
#
# - `Regression`: one number, the share of 12 hours that has passed. It jumps from 1 to 0 at 12:00.
# - `Cyclic`: sine and cosine of both hands, without a jump: neighbours on the dial have similar numbers.
# - `MultiHead`: one head for the hour hand's angle, one for the minute, as probabilities of classes.

# %%
minutes = torch.arange(720)
figure, axes = plt.subplots(1, 2, figsize=(10, 2.5))
axes[0].plot(minutes.numpy(), Regression().encode(minutes).numpy())
axes[0].set(title="one number", xlabel="minutes")
axes[1].plot(
    minutes.numpy(),
    Cyclic().encode(minutes).numpy(),
    label=["hour, sine", "hour, cosine", "minute, sine", "minute, cosine"],
)
axes[1].set(title="sine and cosine of both hands", xlabel="minutes")
axes[1].legend(fontsize=7)
for encoding in (Regression(), Cyclic(), MultiHead()):
    back = encoding.decode(encoding.encode(minutes))
    print(
        type(encoding).__name__,
        encoding.outputs,
        "largest error of a perfect net",
        circular_error(back, minutes).max().item(),
    )

# %% [markdown]
# ## The effect of a small error
#
# The same small noise is added to all targets before they are decoded. One number must be exact to a thousandth: 0.02
# of 12 hours is 14 minutes. With two hands, the minute hand is exact, and half an hour is enough for the hour hand.

# %%
draws = torch.Generator().manual_seed(0)
for encoding in (Regression(), Cyclic()):
    target = encoding.encode(minutes)
    error = circular_error(encoding.decode(target + 0.02 * torch.randn(target.shape, generator=draws)), minutes)
    print(f"{type(encoding).__name__}: median {error.median():.1f} minutes, largest {error.max():.1f}")

# %% [markdown]
# ## The images
#
# Upright clocks, seen nearly from above, as in `experiment=quick/clocks`.

# %%
small = ["data.count=120", "data.size=32", "trainer.max_epochs=1", "model.net.widths=[4,8]", "model.net.blocks=[1,1]",
         "trainer.precision=32-true"]  # fmt: skip
words = ["experiment=quick/clocks", *(small if DEBUG else [])]
data = build_data(compose(*words))
data.prepare_data()
data.setup()
(train_x, train_y), (test_x, test_y) = data.arrays["train"], data.arrays["test"]  # labels: hour and minute
figure, axes = plt.subplots(1, 6, figsize=(10, 2))
for axis, image, (hour, minute) in zip(axes, train_x, train_y.tolist(), strict=False):
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=255)
    axis.set(title=clock_text(60 * hour + minute), xticks=[], yticks=[])

# %% [markdown]
# ## A net of ten lines, and a loss for each encoding
#
# The loss of `MultiHead` is the sum of two cross-entropies. The net is trained for a few passes over the images; the
# program's own net is deeper.


# %%
def reader(outputs):
    """Images [N, 1, S, S] to numbers [N, sum(outputs)]."""
    layers, channels = [], 1
    for width in (16, 32, 64):
        layers += [nn.Conv2d(channels, width, 3, 2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64 * 16, sum(outputs)))


def fit(encoding, epochs=1 if DEBUG else 3):
    """A reader that is trained with this encoding, and its mean error on test clocks in minutes."""
    torch.manual_seed(0)
    net, times = reader(encoding.outputs), train_y[:, 0] * 60 + train_y[:, 1]
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        net.train()
        for index in torch.randperm(len(train_x)).split(64):
            output = net(train_x[index][:, None] / 128 - 1)
            loss = encoding.loss(output, times[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        read = encoding.decode(torch.cat([net(part[:, None] / 128 - 1) for part in test_x.split(500)]))
    return net, circular_error(read, test_y[:, 0] * 60 + test_y[:, 1]).mean().item()


for encoding in (Regression(), Cyclic(), MultiHead()):
    print(f"{type(encoding).__name__}: {fit(encoding)[1]:.0f} minutes (180 is chance)")

# %% [markdown]
# ## The program's reader
#
# A residual net, Muon and a schedule that ends at zero. `load_run` gives the model; `predictions` has the time, the
# confidence and the runner-up.

# %%
result = run(compose(*words, "plots=false"), folder=unique_folder("outputs/notebook", "clocks"))
print(f"{result['metrics']['test/error_minutes']:.1f} minutes of error on test clocks")
model = load_run(result["folder"])
with torch.no_grad():
    rows = model.format_predictions(model.predictions(model(test_x[:6])))
figure, axes = plt.subplots(1, 6, figsize=(10, 2))
for axis, image, row in zip(axes, test_x, rows, strict=False):
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=255)
    axis.set(title=row["time"], xticks=[], yticks=[])

# %% [markdown]
# ## What to change next
#
# - `Classification(24)` and `Classification(720)` as encodings: which has the lower training error, which the lower
#   test error?
# - More passes for `Cyclic`: does it leave its plateau?
# - `compose(*words, "data.scene.azimuth=[0,360]")`: clocks turned by any angle.
