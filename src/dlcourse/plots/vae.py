"""The divergence of each latent of a VAE from the prior."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from dlcourse.analysis.latents import ACTIVE
from dlcourse.data.module import DataModule
from dlcourse.plots.curves import TRAIN, VALIDATION, save
from dlcourse.runs.files import write_csv


def draw(folder: Path, model: Any, data: DataModule) -> None:
    """`plots/kl.png` and kl.csv: divergence of each latent, and the share of its variance that the images explain."""
    del data
    plots, answers = folder / "plots", model.last_predictions
    kl, variance = answers["kl"].mean(0), answers["latent"].var(0, correction=0)
    order = kl.argsort(descending=True).tolist()
    rows = [(i, kl[i].item(), variance[i].item(), int(variance[i] > ACTIVE)) for i in order]
    write_csv(plots / "kl.csv", ["latent", "kl_nats", "variance_of_mean", "active"], rows)
    figure = Figure(figsize=(min(max(5.0, 0.16 * len(order) + 2), 11), 5), layout="constrained")
    axes, beside = figure.subplots(2, 1, sharex=True)
    places = range(len(order))
    axes.bar(places, kl[order].tolist(), color=TRAIN)
    axes.set_ylabel("divergence from\nthe prior, nats")
    beside.bar(places, variance[order].tolist(), color=VALIDATION)
    beside.set(xlabel="latents, the most used first", ylabel="variance\nof the mean")
    active = sum(row[3] for row in rows)
    axes.set_title(f"{active} of {len(rows)} latents in use, {kl.sum():.1f} nats an image ({model.split})")
    save(figure, plots / "kl.png")
