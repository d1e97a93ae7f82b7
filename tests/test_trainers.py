"""Each process of a sweep uses its own GPU, and the training time is estimated."""

import os
import re
import time
from types import SimpleNamespace

import torch

from dlcourse.training import devices
from dlcourse.training.devices import claim_gpu
from dlcourse.training.progress import TimeEstimate, total_batches


def claim(monkeypatch):
    """What a new process would see after its claim."""
    monkeypatch.setattr(devices, "_claims", held := [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    claim_gpu()
    return os.environ.get("CUDA_VISIBLE_DEVICES"), held


def test_each_process_has_a_gpu_of_its_own_until_it_ends(monkeypatch, tmp_path):
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    (first, lock), (second, _) = claim(monkeypatch), claim(monkeypatch)
    assert (first, second) == ("0", "1")
    assert claim(monkeypatch)[0] in ("0", "1")  # more processes than devices share them
    lock[0].release()  # as at the end of its process
    assert claim(monkeypatch)[0] == "0"


def test_one_gpu_or_none_needs_no_claim(monkeypatch):
    for count in (0, 1):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        assert claim(monkeypatch)[0] is None


def test_the_time_is_estimated_once_from_the_steps_so_far(caplog):
    progress = SimpleNamespace(total=SimpleNamespace(ready=3))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    trainer = SimpleNamespace(is_global_zero=True, num_training_batches=1000, max_epochs=2, max_steps=-1, fit_loop=loop)
    estimate = TimeEstimate(after=0.01)
    with caplog.at_level("INFO", logger="dlcourse"):
        for step in range(4):
            estimate.on_train_batch_end(trainer, None, None, None, step)
            time.sleep(0.011)
    (said,) = [record.message for record in caplog.records]
    assert re.fullmatch(r"the training will take about \d+(\.\d)? s more", said)
    assert total_batches(trainer) == 2000
    trainer.max_steps, trainer.accumulate_grad_batches = 300, 2
    assert total_batches(trainer) == 600
