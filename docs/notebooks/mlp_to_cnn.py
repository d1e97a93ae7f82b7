# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From the MLP to the CNN
#
# In a dense layer every pixel has its own weight. A convolution uses the same few weights everywhere in
# the image. Which is better, and when? The lesson *From the MLP to the CNN* has the questions with their answers.

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
import torch.nn.functional as F
from torch import nn

from dlcourse import compose, load_run, run
from dlcourse.models.build import build_data
from dlcourse.runs.folders import unique_folder

torch.manual_seed(0)
data = build_data(compose("data=digits8", "data.view=picture"))
data.setup()
(train_x, train_y), (test_x, test_y) = ((x[:, None] / 16, y) for x, y in (data.arrays["train"], data.arrays["test"]))
train_x.shape

# %% [markdown]
# ## Two nets of ten lines
#
# Both end in ten numbers, one for each digit.


# %%
def mlp():
    """Each pixel has its own weights."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, 32), nn.ReLU(),
        nn.Linear(32, 10),
    )  # fmt: skip


def cnn():
    """The same 3x3 weights for every place in the image."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(32, 10),
    )  # fmt: skip


for make in (mlp, cnn):
    print(make.__name__, sum(parameter.numel() for parameter in make().parameters()), "weights")

# %% [markdown]
# ## The loss and the training loop
#
# The ten numbers become probabilities by a softmax; the loss is minus the logarithm of the right digit's probability.


# %%
def fit(net, epochs, batch_size=32, rate=3e-3):
    """Train a net; return it with its accuracy on test digits after each epoch."""
    optimizer, history = torch.optim.Adam(net.parameters(), lr=rate), []
    for _ in range(epochs):
        net.train()
        for index in torch.randperm(len(train_x)).split(batch_size):
            loss = F.cross_entropy(net(train_x[index]), train_y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        history.append(accuracy(net, test_x))
    return net, history


@torch.no_grad()
def accuracy(net, images):
    """The share of right answers to the test digits, in this form."""
    net.eval()
    return (net(images).argmax(1) == test_y).float().mean().item()


epochs = 1 if DEBUG else 30
nets, curves = {}, {}
for make in (mlp, cnn):
    nets[make.__name__], curves[make.__name__] = fit(make(), epochs)
    print(f"{make.__name__}: {curves[make.__name__][-1]:.1%} of the test digits")

# %%
figure, axis = plt.subplots(figsize=(6, 3))
for name, curve in curves.items():
    axis.plot(range(1, epochs + 1), curve, label=name)
axis.set(xlabel="epoch", ylabel="accuracy on test digits")
axis.legend()

# %% [markdown]
# ## Shift the digits by one pixel
#
# Neither net was trained on shifted digits. In the MLP every pixel is now multiplied by the weights of its neighbour.
# The CNN's filters find the same strokes at another position, so its accuracy falls less. It does fall, because a
# stroke moves to other cells of the pooling, and a part of the digit may be shifted out of the image.

# %%
for name, net in nets.items():
    shifted = [accuracy(net, test_x.roll(move, (2, 3))) for move in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    print(f"{name}: {accuracy(net, test_x):.1%} in place, {sum(shifted) / 4:.1%} shifted by a pixel")

# %% [markdown]
# ## The filters

# %%
figure, axes = plt.subplots(1, 16, figsize=(12, 1))
for axis, kernel in zip(axes, nets["cnn"][0].weight.detach()[:, 0], strict=True):
    axis.imshow(kernel.numpy(), cmap="RdBu", vmin=-1, vmax=1)
    axis.set_axis_off()

# %% [markdown]
# ## The same with the program
#
# A config chooses the net, the optimizer and the schedule; the run folder contains the confusion matrix, the worst
# mistakes and the weights, which `load_run` loads.

# %%
small = ["trainer.max_epochs=1"] if DEBUG else ["trainer.max_epochs=30"]
words = ["model=digits_cnn", "data=digits8", "data.view=picture", "plots=false", *small]
result = run(compose(*words), folder=unique_folder("outputs/notebook", "cnn"))
model = load_run(result["folder"])
print(f"{result['metrics']['test/accuracy']:.1%} with {result['parameters']:,} weights")
model(data.arrays["test"][0][:1]).softmax(1)

# %% [markdown]
# ## What to change next
#
# - `nn.Flatten()` instead of `nn.AdaptiveMaxPool2d(1)`, with `nn.Linear(32 * 16, 10)`: how much does a shift cost?
# - Wider layers in the MLP: does it reach the accuracy of the CNN on shifted digits?
# - MNIST: `python -m dlcourse.train -m experiment=quick/changed_digits model=mlp,small_cnn name=changed` (a download).
