# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Autoencoder, VAE, GAN
#
# Compress a face to a few numbers and reconstruct it; generate new faces from random numbers; train two nets against
# each other. The lesson *Autoencoder, VAE, GAN* has the questions with their answers. The faces are rendered, so
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
import torch.nn.functional as F
from torch import nn

from dlcourse import compose, load_run, run
from dlcourse.models.build import build_data
from dlcourse.runs.folders import unique_folder

torch.manual_seed(0)
small = ["data.count=96", "data.validation=32", "data.test=32", "data.batch_size=16", "model.net.width=4",
         "trainer.max_epochs=1", "trainer.precision=32-true"] if DEBUG else []  # fmt: skip
data = build_data(compose("experiment=quick/vae", *small))
data.prepare_data()
data.setup()
faces = data.arrays["train"][0].permute(0, 3, 1, 2) / 255  # [N, 3, 32, 32], 0 to 1
unseen = data.arrays["test"][0].permute(0, 3, 1, 2) / 255


def show(*rows):
    """Images [N, 3, S, S], one row for each argument."""
    sheet = torch.cat([torch.cat(list(row.clamp(0, 1)), 2) for row in rows], 1)
    _, axis = plt.subplots(figsize=(10, 1.2 * len(rows)))
    axis.imshow(sheet.permute(1, 2, 0).numpy())
    axis.set_axis_off()


show(faces[:8])

# %% [markdown]
# ## An autoencoder
#
# The encoder outputs 32 numbers, from which the decoder reconstructs the image. The loss is the squared error of the
# pixels.

# %%
LATENT, WIDTH = 32, 4 if DEBUG else 24


def encoder(outputs):
    """Images [N, 3, 32, 32] to numbers [N, outputs]."""
    return nn.Sequential(
        nn.Conv2d(3, WIDTH, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(2 * WIDTH, 4 * WIDTH, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * WIDTH, outputs),
    )  # fmt: skip


def decoder():
    """Numbers [N, LATENT] to images [N, 3, 32, 32]."""
    return nn.Sequential(
        nn.Linear(LATENT, 64 * WIDTH), nn.ReLU(), nn.Unflatten(1, (4 * WIDTH, 4, 4)),
        nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip


def fit(loss_of, parameters, epochs=1 if DEBUG else 3):
    """Minimise `loss_of(images)` over the training faces; print its mean of each epoch."""
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    for epoch in range(epochs):
        losses = []
        for index in torch.randperm(len(faces)).split(64):
            loss = loss_of(faces[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}")


encode, decode = encoder(LATENT), decoder()
fit(lambda x: F.mse_loss(decode(encode(x)), x), [*encode.parameters(), *decode.parameters()])
with torch.no_grad():
    show(unseen[:8], decode(encode(unseen[:8])))

# %% [markdown]
# An autoencoder does not know which numbers belong to a face. Random numbers are decoded to a smear:

# %%
with torch.no_grad():
    show(decode(torch.randn(8, LATENT)))

# %% [markdown]
# ## A variational autoencoder
#
# The encoder outputs a mean and a log variance for each number, and the decoder decodes a sample of that distribution.
# The loss has a second term, the divergence from N(0, 1), so that random numbers from N(0, 1) are similar to the
# latents of faces.

# %%
encode, decode = encoder(2 * LATENT), decoder()
NOISE = 0.1  # standard deviation of a pixel


def vae_loss(x):
    """Minus the evidence's lower bound, for each pixel, up to a constant."""
    mean, log_variance = encode(x).chunk(2, 1)
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    error = (decode(z) - x).square().flatten(1).sum(1) / (2 * NOISE**2)
    return (error + divergence).mean() / x[0].numel()


fit(vae_loss, [*encode.parameters(), *decode.parameters()])
with torch.no_grad():
    show(decode(torch.randn(8, LATENT)))

# %% [markdown]
# ## The program's VAE, and steps between two faces
#
# `load_run` gives a model with `latents` and `decode_images`, both for images as the data stores them.

# %%
result = run(compose("experiment=quick/vae", "plots=false", *small), folder=unique_folder("outputs/notebook", "vae"))
model = load_run(result["folder"])
stored = data.arrays["test"][0]
first, last = model.latents(stored[:2])
way = torch.stack([first + (last - first) * step for step in torch.linspace(0, 1, 9)])
show(model.decode_images(way).permute(0, 3, 1, 2) / 255)

# %%
show(model.sampled(9).permute(0, 3, 1, 2) / 255)

# %% [markdown]
# ## A GAN
#
# The generator makes images from random numbers, the discriminator predicts whether an image is real; each learns from
# the other. The losses do not measure the quality of the images: look at the samples.

# %%
adversary = ["model.discriminator.width=4"] if DEBUG else []
result = run(
    compose("experiment=quick/gan", "plots=false", *small, *adversary), folder=unique_folder("outputs/notebook", "gan")
)
drawn = load_run(result["folder"]).sampled(9)
show(drawn.permute(0, 3, 1, 2) / 255)

# %% [markdown]
# ## What to change next
#
# - `LATENT = 2`: plot `encode(faces)` as a map. What do the two numbers mean?
# - `NOISE = 1` and `NOISE = 0.01`: which term of the loss is larger, and what do the samples look like?
# - `compose("experiment=quick/vae", "model.latent=2", "trainer.max_epochs=20")`.
