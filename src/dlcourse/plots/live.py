"""live.html: a page that shows a run while it trains; it reloads itself from the run folder, without a server."""

import base64
import io
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image

from dlcourse.analysis import classification
from dlcourse.clocks.encodings import clock_text
from dlcourse.plots.mosaic import mosaic
from dlcourse.plots.page import write_page
from dlcourse.plots.run_page import PAGE, charts
from dlcourse.plots.sheet import displayable
from dlcourse.plots.style import plotting
from dlcourse.runs.files import read_rows
from dlcourse.runs.metrics import duration
from dlcourse.training.progress import total_batches

LIVE = "live.html"
EVERY = 3.0  # seconds between two versions of the page at least, and between two reloads
SHOWN = 12  # worst answers


class LivePage(Callback):
    """Writes live.html at the start, after each epoch, and every few seconds in between; errors only warn.

    Args:
        save_dir: the run folder.
        every: seconds between two versions of the page.
    """

    def __init__(self, save_dir: str | Path, every: float = EVERY):
        self.folder, self.every = Path(save_dir), every
        self.rows: list[dict[str, str]] = []
        self.pictures: list[tuple[str, str]] = []
        self.caption = ""
        self.started = self.written = 0.0
        self.first_step = 0

    @property
    def path(self) -> Path:
        """The page."""
        return self.folder / LIVE

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the page with the epochs of a resumed run, or an empty one."""
        self.rows = read_rows(self.folder / "metrics.csv")
        self.started, self.first_step = time.perf_counter(), _steps(trainer)
        self._write(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the page if the last version is some seconds old."""
        if time.perf_counter() - self.written > self.every:
            self._write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch; Lightning calls this after its validation."""
        row = {name: f"{value.item():.6g}" for name, value in trainer.callback_metrics.items()}
        self.rows = [r for r in self.rows if r.get("epoch") != str(trainer.current_epoch)]
        self.rows.append({"epoch": str(trainer.current_epoch)} | row)
        self._look(trainer, pl_module)
        self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the last images, and say that the test follows."""
        self._look(trainer, pl_module)
        self._write(trainer, "The training has ended; the test and the plots follow.")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Stop reloading."""
        self._write(trainer, f"The training stopped: {type(exception).__name__}.", refresh=0)

    def _look(self, trainer: Trainer, model: LightningModule) -> None:
        with plotting("the images of the live page"), torch.no_grad():
            self.caption, self.pictures = _images(trainer, model)

    def _write(self, trainer: Trainer, said: str = "", refresh: float = EVERY) -> None:
        if not trainer.is_global_zero:
            return
        done, total = _steps(trainer), total_batches(trainer)
        total = int(total) if total != float("inf") else 0
        spent = time.perf_counter() - self.started
        fresh = done - self.first_step
        left = spent / fresh * (total - done) if fresh and total > done else 0
        share = min(1.0, done / total) if total else 0
        epoch = f"epoch {min(trainer.current_epoch + 1, trainer.max_epochs or 1)} of {trainer.max_epochs}"
        text = said or f"{epoch}, {duration(spent)} so far" + (f", about {duration(left)} left" if left else "")
        self.written = time.perf_counter()
        with plotting("the live page"):
            write_page(
                self.folder, LIVE, "live.html", title=f"{self.folder.name}: training", refresh=refresh, to="",
                said=text, share=share, charts=charts(self.rows), pictures=self.pictures, caption=self.caption,
            )  # fmt: skip


def end_live_page(folder: Path) -> None:
    """Replace the live page of a finished run, if there is one, by a link to its page."""
    if (folder / LIVE).exists():
        to = PAGE if (folder / PAGE).exists() else ""
        write_page(
            folder, LIVE, "live.html", title=f"{folder.name}: completed", refresh=1 if to else 0, to=to,
            said="The run is completed.", share=1.0, charts=charts(read_rows(folder / "metrics.csv")), pictures=[],
            caption="",
        )  # fmt: skip


def _steps(trainer: Trainer) -> int:
    """Batches so far, in all epochs."""
    progress = trainer.fit_loop.epoch_loop.batch_progress.total.ready
    return int(progress)


def _images(trainer: Trainer, model: Any) -> tuple[str, list[tuple[str, str]]]:
    """What the model draws now, or the worst answers on validation images: a caption, and images with theirs."""
    frames = getattr(model, "frames", None)
    if frames:
        epoch = max(frames)
        return f"After epoch {epoch + 1}", [(_png(mosaic(frames[epoch], 5)), "")]
    answers, data = model.last_predictions, getattr(trainer, "datamodule", None)
    if not answers or data is None or "val" not in data.arrays or "loss" not in answers:
        return "", []
    images = displayable(data.arrays["val"][0][: len(answers["loss"])])
    if images is None or model.kind not in ("classes", "time"):
        return "", []
    worst = answers["loss"].argsort(descending=True)[:SHOWN]
    if model.kind == "time":
        truth = [clock_text(60 * hour + minute) for hour, minute in answers["labels"][worst].tolist()]
        said = [clock_text(t) for t in answers["minutes"][worst].tolist()]
    else:
        names = model.task.classes
        truth = [names[i] for i in classification.true_class(answers)[worst].tolist()]
        said = [names[i] for i in classification.answered_class(answers)[worst].tolist()]
    pairs = zip(worst.tolist(), said, truth, strict=True)
    return "The worst answers on validation images", [
        (_png(images[i].numpy()), f"{answer}, is {right}") for i, answer, right in pairs
    ]


def _png(array: Any) -> str:
    into = io.BytesIO()
    Image.fromarray(array).save(into, "PNG")
    return f"data:image/png;base64,{base64.b64encode(into.getvalue()).decode()}"
