"""On a machine with several GPUs each process of a sweep uses its own."""

import os

import torch

from dlcourse.training import devices
from dlcourse.training.devices import claim_gpu


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
