# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Perceptron and XOR
#
# One layer of weights learns digits by a rule of one line, but cannot learn the exclusive or (XOR) of two bits. A net
# with a hidden layer of three units can, for most initial weights. The lesson *Perceptron and XOR* has the questions
# with their answers.

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

from dlcourse import compose, run
from dlcourse.models.build import build_data
from dlcourse.runs.folders import unique_folder

torch.manual_seed(0)

# %% [markdown]
# ## A perceptron for ten classes
#
# The output for class c is the sum of the inputs times the weights of c. After a wrong prediction, the input is added
# to the weights of the right class and subtracted from those of the predicted class. The rule does not use derivatives.

# %%
data = build_data(compose("data=digits8"))
data.setup()
(train_x, train_y), (test_x, test_y) = ((torch.cat([x / 16, torch.ones(len(x), 1)], 1), y)  # with a constant input
                                        for x, y in (data.arrays["train"], data.arrays["test"]))  # fmt: skip


def perceptron(passes, rate=0.1):
    """Weights [65, 10], and the share of right answers to training and test digits after each pass."""
    weights, history = torch.zeros(65, 10), []
    for _ in range(passes):
        for i in torch.randperm(len(train_x)).tolist():
            x, right = train_x[i], train_y[i].item()
            answer = (x @ weights).argmax().item()
            if answer != right:
                weights[:, right] += rate * x
                weights[:, answer] -= rate * x
        history.append([((x @ weights).argmax(1) == y).float().mean().item()
                        for x, y in ((train_x, train_y), (test_x, test_y))])  # fmt: skip
    return weights, history


weights, history = perceptron(passes=1 if DEBUG else 10)
print(f"after {len(history)} passes: training {history[-1][0]:.1%}, test {history[-1][1]:.1%}")

# %% [markdown]
# The weights of a class, shown as an image: which pixels are evidence for the digit, and which against it.

# %%
figure, axes = plt.subplots(1, 10, figsize=(10, 1.3))
for axis, image in zip(axes, weights[:64].T, strict=True):
    axis.imshow(image.reshape(8, 8).numpy(), cmap="RdBu", vmin=-image.abs().max().item(), vmax=image.abs().max().item())
    axis.set_axis_off()

# %% [markdown]
# ## Four points that one layer cannot learn
#
# XOR is 1 if exactly one of two inputs is 1. No straight line has (0, 1) and (1, 0) on one side and the others on
# the other side. The hidden layer makes a curved decision boundary possible.

# %%
points = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])


def learn_xor(seed, hidden=3, rate=5.0, steps=100 if DEBUG else 2000):
    """A net with `hidden` sigmoid units, trained on the four points, and its loss after each step."""
    torch.manual_seed(seed)
    first = [torch.nn.Linear(2, hidden), torch.nn.Sigmoid()] if hidden else []
    net = torch.nn.Sequential(*first, torch.nn.Linear(hidden or 2, 1), torch.nn.Sigmoid())
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    losses = []
    for _ in range(steps):
        loss = (net(points) - targets).square().mean()
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= rate * parameter.grad
        losses.append(loss.item())
    return net, losses


def solved(net):
    """Whether all four outputs are on the right side of 0.5."""
    return bool(((net(points) > 0.5) == (targets > 0.5)).all())


for name, hidden in (("no hidden layer", 0), ("two hidden units", 2), ("three hidden units", 3)):
    nets = [learn_xor(seed, hidden)[0] for seed in range(2 if DEBUG else 10)]
    print(f"{name}: {sum(map(solved, nets))} of {len(nets)} starts solve XOR")

# %%
figure, axis = plt.subplots(figsize=(6, 3))
for seed in range(2 if DEBUG else 6):
    axis.plot(learn_xor(seed)[1], label=f"seed {seed}")
axis.set(xlabel="step", ylabel="squared error", title="The same net from different initial weights")
axis.legend()

# %% [markdown]
# ## The decision boundary

# %%
net, _ = learn_xor(seed=0)
side = torch.linspace(-0.5, 1.5, 60)
grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), 2)
with torch.no_grad():
    surface = net(grid.reshape(-1, 2)).reshape(60, 60)
figure, axis = plt.subplots(figsize=(4, 4))
axis.contourf(side.numpy(), side.numpy(), surface.numpy(), levels=20, cmap="RdBu", vmin=0, vmax=1)
axis.contour(side.numpy(), side.numpy(), surface.numpy(), levels=[0.5], colors="black")
axis.scatter(*points.T.numpy(), c=targets[:, 0].numpy(), cmap="RdBu", edgecolors="black", s=80)

# %% [markdown]
# ## Hundreds of nets at once
#
# The program trains all nets as one batch of matrices. The result contains the share of nets that solve XOR, and after
# how many steps.

# %%
small = ["model.restarts=20", "trainer.max_epochs=2"] if DEBUG else []
result = run(compose("experiment=quick/xor", "plots=false", *small), folder=unique_folder("outputs/notebook", "xor"))
print(f"{result['metrics']['test/solved']:.1%} of the starts solve XOR")

# %% [markdown]
# ## What to change next
#
# - Learning rates of 0.5, 5, 50. With which rates does the net still learn?
# - `torch.nn.init.uniform_(parameter, -1, 1)` instead of the normal distribution.
# - `compose("experiment=quick/xor", "model.hidden=2")`: how many nets solve it with two units?
