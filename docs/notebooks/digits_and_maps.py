# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Digits and maps
#
# Can a program classify handwritten digits without learning? And what remains of a data set on a map of two
# dimensions? The lesson *Digits and maps* has the questions with their answers. The digits are part of scikit-learn, so
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

# %% [markdown]
# ## The data
#
# `compose` returns the config of a command line; `build_data` makes the data module. Its `arrays` are tensors.

# %%
import matplotlib.pyplot as plt
import torch

from dlcourse import compose, run
from dlcourse.models.build import build_data
from dlcourse.runs.folders import unique_folder

data = build_data(compose("data=digits8"))
data.setup()
(train_x, train_y), (test_x, test_y) = data.arrays["train"], data.arrays["test"]
train_x.shape, test_x.shape, (train_x.min().item(), train_x.max().item())

# %%
figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for label, axis in enumerate(axes):
    axis.imshow(train_x[train_y == label][0].reshape(8, 8).numpy(), cmap="gray_r")
    axis.set(title=label, xticks=[], yticks=[])

# %% [markdown]
# ## The nearest class centre
#
# The mean image of each class, and the distance of a new image to each of the ten: three lines.

# %%
centres = torch.stack([train_x[train_y == label].mean(0) for label in range(10)])
nearest = torch.cdist(test_x, centres).argmin(1)
centre_accuracy = (nearest == test_y).float().mean().item()
print(f"nearest centre: {centre_accuracy:.1%}")

figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for axis, centre in zip(axes, centres, strict=True):
    axis.imshow(centre.reshape(8, 8).numpy(), cmap="gray_r")
    axis.set_axis_off()

# %% [markdown]
# Which two centres are closest? Those digits are likely to be confused.

# %%
between = torch.cdist(centres, centres).fill_diagonal_(float("inf"))
first, second = divmod(between.argmin().item(), 10)
print(
    f"{first} and {second} are {between.min():.1f} apart, the mean distance is {between[between.isfinite()].mean():.1f}"
)
print("mistakes:", ((test_y == first) & (nearest == second)).sum().item(), "times", second, "for", first)

# %% [markdown]
# ## Nearest neighbours
#
# The k nearest training images vote. Try other values of `k`: one, three, fifteen, a hundred.


# %%
def neighbours(x, k=3):
    """The classes of points [N, F], by a vote of the k nearest training points."""
    nearest = torch.cdist(x, train_x).topk(k, largest=False).indices
    return train_y[nearest].mode(1).values


for k in (1, 3, 15, 100):
    print(f"{k:3d} neighbours: {(neighbours(test_x, k) == test_y).float().mean():.1%}")

# %% [markdown]
# The program does the same, writes a run folder with pictures, and has a rule for ties.

# %%
result = run(
    compose("model=knn", "data=digits8", "model.k=3", "plots=false"), folder=unique_folder("outputs/notebook", "knn")
)
result["metrics"]["test/accuracy"]

# %% [markdown]
# ## A map: principal components
#
# The two directions in which the digits vary most, by a singular value decomposition of the centred data. New points
# are projected on the same plane.

# %%
mean = train_x.mean(0)
_, values, directions = torch.linalg.svd(train_x - mean, full_matrices=False)
plane = directions[:2].T
print(f"two of 64 directions hold {values[:2].square().sum() / values.square().sum():.0%} of the variance")

flat_train, flat_test = (train_x - mean) @ plane, (test_x - mean) @ plane
figure, axis = plt.subplots(figsize=(5, 5))
axis.scatter(*flat_train.T.numpy(), c=train_y.numpy(), cmap="tab10", s=6)
axis.set(title="Principal components", xticks=[], yticks=[])

# %%
votes = train_y[torch.cdist(flat_test, flat_train).topk(3, largest=False).indices].mode(1).values
print(f"3 neighbours on the plane: {(votes == test_y).float().mean():.1%}")

# %% [markdown]
# ## A map that keeps neighbourhoods: t-SNE
#
# t-SNE moves points until each has the same neighbours on the map as in 64 dimensions. Distances between groups are not
# meaningful on the map, but a vote of the neighbours is almost as good as before.

# %%
reduce = "pca" if DEBUG else "tsne"
mapped = run(
    compose("model=knn", "data=digits8", f"model.reduce={reduce}", "plots=false"),
    folder=unique_folder("outputs/notebook", "map"),
)
print(f"3 neighbours on the map of {reduce}: {mapped['metrics']['test/accuracy']:.1%}")

# %% [markdown]
# ## What to change next
#
# - `k`, and the distance: `torch.cdist(..., p=1)`.
# - `directions[:5]` instead of two: how many principal components are enough for the neighbours?
# - `compose("data=fashion_mnist")` instead of the digits (a download), with `.float()` and `.flatten(1)`.
