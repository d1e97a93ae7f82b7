"""The page of a run, and the page that shows it while it trains."""

import inspect
import re
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from dlcourse.commands.finish import finish
from dlcourse.config import compose
from dlcourse.plots import run_page
from dlcourse.plots.captions import CAPTIONS
from dlcourse.plots.dispatch import MODULES
from dlcourse.plots.live import LIVE, LivePage, end_live_page
from dlcourse.runs.result import Result, write_result
from tests.reporting.browser import BROWSER


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plots").mkdir()
    Image.effect_noise((300, 200), 50).save(tmp_path / "plots" / "curves.png")
    Image.effect_noise((300, 100), 50).save(tmp_path / "plots" / "confused_pairs.png")
    (tmp_path / "config.yaml").write_text("seed: 0\nname: <b>\n")
    (tmp_path / "metrics.csv").write_text(
        "epoch,step,train/loss,val/loss,lr\n0,1,2.0,1.5,0.1\n1,2,1.0,1.2,\n2,3,nan,x,\n"
    )
    return tmp_path


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_each_plot_of_a_run_has_a_sentence(module):
    stems = re.findall(r'"([a-z_]+)\.png"', inspect.getsource(import_module(module)))
    assert not set(stems) - set(CAPTIONS)


def found():
    metrics = {"test/accuracy": 0.9, "train/accuracy": 0.91}
    return Result("train", "completed", model="mlp", data="mnist", metrics=metrics, overrides=["model=mlp"], seed=0)


def test_a_run_s_page_holds_everything_and_needs_no_other_file(folder, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(run_page.webbrowser, "open", lambda address: opened.append(address) or True)
    finish(folder, found(), compose("open=true"))
    text = (folder / "index.html").read_text()
    assert "90.00 % of the test images" in text and text.count("data:image/webp") == 2
    assert text.index("confused pairs") < text.index("Loss and metric by epoch")  # the one to open first
    assert "&lt;b&gt;" in text and "python -m dlcourse.train model=mlp" in text
    assert not re.findall(r'(?:src|href)="(?!data:|#|plots/)[^"]', text)
    assert opened == [(folder / "index.html").as_uri()]
    out = capsys.readouterr().out
    assert "90.00 % of the test images" in out and "Open first:" in out and "Try next:" in out


def test_no_browser_and_a_broken_page_only_warn(folder, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError("no display")

    monkeypatch.setattr(run_page.webbrowser, "open", fail)
    finish(folder, found(), compose("open=true"))
    assert "open" in caplog.text
    monkeypatch.setattr("dlcourse.plots.run_page.charts", fail)
    finish(folder, found(), compose())
    assert "the page of the run could not be drawn" in caplog.text


def trainer(epoch=0, steps=5, **metrics):
    progress = SimpleNamespace(total=SimpleNamespace(ready=steps))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    named = {name.replace("_", "/", 1): torch.tensor(value) for name, value in metrics.items()}
    return SimpleNamespace(is_global_zero=True, fit_loop=loop, num_training_batches=10, max_epochs=2, max_steps=-1,
                           current_epoch=epoch, callback_metrics=named, datamodule=None)  # fmt: skip


def test_the_live_page_reloads_until_the_run_is_over(folder):
    page, model = LivePage(folder, every=0), SimpleNamespace(last_predictions={}, kind="classes")
    (folder / "metrics.csv").unlink()
    page.on_train_start(trainer(steps=0), model)
    assert 'http-equiv="refresh"' in (folder / LIVE).read_text()
    page.on_train_batch_end(trainer(steps=5), model, None, None, 4)
    assert "epoch 1 of 2" in (folder / LIVE).read_text() and "left" in (folder / LIVE).read_text()
    page.on_train_epoch_end(trainer(0, 10, train_loss=2.0, val_loss=2.5), model)
    page.on_train_epoch_end(trainer(1, 20, train_loss=1.0, val_loss=1.5), model)
    assert "polyline" in (folder / LIVE).read_text()
    model.frames = {0: torch.zeros(25, 4, 4, dtype=torch.uint8)}
    page.on_train_end(trainer(1, 20), model)
    text = (folder / LIVE).read_text()
    assert "After epoch 1" in text and "data:image/png" in text
    write_result(folder, found())
    finish(folder, found(), compose())
    assert "url=index.html" in (folder / LIVE).read_text()
    page.on_exception(trainer(), model, ValueError("x"))
    assert 'http-equiv="refresh"' not in (folder / LIVE).read_text()


def test_the_live_page_shows_the_worst_answers(folder):
    images = torch.arange(4 * 9, dtype=torch.uint8).reshape(4, 3, 3)
    answers = {"labels": torch.tensor([0, 1, 1, 0]), "loss": torch.tensor([0.1, 3.0, 0.2, 2.0]),
               "classes": torch.tensor([0, 0, 1, 1])}  # fmt: skip
    model = SimpleNamespace(last_predictions=answers, kind="classes", task=SimpleNamespace(classes=("cat", "dog")))
    data = SimpleNamespace(arrays={"val": (images, answers["labels"])})
    at = trainer(0, 10, val_loss=1.0)
    at.datamodule = data
    LivePage(folder).on_train_epoch_end(at, model)
    text = (folder / LIVE).read_text()
    assert text.index("cat, is dog") < text.index("dog, is cat") and text.count("data:image/png") == 4


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine to open the page with")
def test_both_pages_open_in_a_browser_without_a_word(folder, tmp_path):
    from tests.reporting.test_browser import open_page

    LivePage(folder).on_train_start(trainer(), SimpleNamespace())
    finish(folder, found(), compose())
    assert "Try next" in open_page(folder / "index.html", tmp_path / "p")
    (folder / "index.html").unlink()
    end_live_page(folder)
    assert "The run is completed." in open_page(folder / LIVE, tmp_path / "p")
