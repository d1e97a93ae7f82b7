# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a net does on changed data
#
# A net is tested on images like its training images. What does it do with others: rotated, noisy, or not digits
# at all? The lesson *What a net does on changed data* has the questions with their answers.

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

from dlcourse import compose, run
from dlcourse.data.augment import Augment
from dlcourse.models.build import build_data
from dlcourse.runs.folders import unique_folder

torch.manual_seed(0)
data = build_data(compose("data=digits8", "data.view=picture"))
data.setup()
(train_x, train_y), (test_x, test_y) = data.arrays["train"], data.arrays["test"]  # 0 to 16, [N, 8, 8]

# %% [markdown]
# ## A small net


# %%
def fit(change=None, epochs=1 if DEBUG else 40):
    """A net that learns the training digits, each batch changed by `change` first."""
    torch.manual_seed(0)
    draws = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(train_x)).split(32):
            images = train_x[index] if change is None else change(train_x[index], draws)
            loss = F.cross_entropy(net(images[:, None] / 16), train_y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


@torch.no_grad()
def probabilities(net, images):
    """[N, 10]"""
    return net(images[:, None] / 16).softmax(1)


def accuracy(net, images):
    """The share of right answers to the test digits, in this form."""
    return (probabilities(net, images).argmax(1) == test_y).float().mean().item()


plain = fit()
print(f"straight digits: {accuracy(plain, test_x):.1%}")

# %% [markdown]
# ## Rotate, shear, shift, add noise
#
# `Augment` changes a batch; each image is changed by a random amount, up to the largest change.

# %%
CHANGES = {
    "none": Augment(),
    "rotation 20": Augment(rotation=20, outside="darkest"),
    "rotation 45": Augment(rotation=45, outside="darkest"),
    "shear 20": Augment(shear=20, outside="darkest"),
    "shift of a pixel": Augment(shift=0.125, outside="darkest"),
    "noise of 3 levels": Augment(noise=3),
}


def changed(name):
    """The test digits, changed the same way every time."""
    return CHANGES[name](test_x, torch.Generator().manual_seed(1))


figure, axes = plt.subplots(1, len(CHANGES), figsize=(12, 2.2))
for axis, name in zip(axes, CHANGES, strict=True):
    axis.imshow(changed(name)[0].numpy(), cmap="gray_r")
    axis.set(title=name, xticks=[], yticks=[])
scores = {name: accuracy(plain, changed(name)) for name in CHANGES}
for name, score in scores.items():
    print(f"{name:18s} {score:.1%}")

# %% [markdown]
# ## Learn from changed digits
#
# Augmentation: in every epoch, each digit is rotated, sheared and shifted by a small random amount. This does not need
# new digits.

# %%
robust = fit(Augment(rotation=20, shear=20, shift=0.125, outside="darkest"))
after = {name: accuracy(robust, changed(name)) for name in CHANGES}
for name in CHANGES:
    print(f"{name:18s} {scores[name]:6.1%} without, {after[name]:6.1%} with augmentation")
figure, axis = plt.subplots(figsize=(8, 3))
for place, label, found, colour, hatch in (
    (-0.2, "without augmentation", scores, "#4477aa", ""),
    (0.2, "with augmentation", after, "#ee6677", "//"),
):
    places = [number + place for number in range(len(CHANGES))]
    axis.bar(
        places, [100 * found[name] for name in CHANGES], 0.38, label=label, color=colour, hatch=hatch, edgecolor="white"
    )
axis.set_xticks(range(len(CHANGES)), CHANGES, fontsize=8)
axis.set(ylabel="accuracy on test digits, %", ylim=(0, 100))
axis.legend(loc="lower left", fontsize=8)

# %% [markdown]
# ## Is the confidence justified?
#
# The largest probability is the net's confidence. On changed digits it falls less than the accuracy does: the net is
# wrong but confident. For images that are not digits, every prediction is wrong, but the ten probabilities still sum to
# one.

# %%
noise = torch.rand(len(test_x), 8, 8, generator=torch.Generator().manual_seed(2)) * 16
for name, images in {"straight digits": test_x, "rotation 45": changed("rotation 45"), "noise alone": noise}.items():
    sure = probabilities(plain, images).max(1).values
    right = "" if name == "noise alone" else f", right {accuracy(plain, images):.0%}"
    print(f"{name:16s} mean confidence {sure.mean():.0%}{right}")

# %% [markdown]
# ## The same with the program
#
# `data/augment=digits` switches augmentation on; `evaluate` measures a run on other data and draws its calibration.

# %%
small = ["trainer.max_epochs=1"] if DEBUG else ["trainer.max_epochs=30"]
words = ["model=digits_cnn", "data=digits8", "data.view=picture", "plots=false", *small]
for name in ("none", "digits"):
    result = run(compose(*words, f"data/augment={name}"), folder=unique_folder("outputs/notebook", f"augment_{name}"))
    print(f"augmentation {name}: {result['metrics']['test/accuracy']:.1%} of the straight test digits")

# %% [markdown]
# ## What to change next
#
# - `rotation=180`: which digits can no longer be distinguished, and why?
# - Train with noise: does it help against rotation?
# - MNIST: `python -m dlcourse.evaluate run=DIR data=mnist_changed` tests a run on changed digits.
