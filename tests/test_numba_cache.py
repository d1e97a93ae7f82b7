"""Compiled code on disk does not outlive the sources that it was compiled from."""

import os
import sys

import pytest

from dlcourse import numba_cache

NAME = "dlcourse.made_up_for_a_test.compiled"


@pytest.mark.parametrize("changed", ["compiled.py", "other.py"])
def test_code_older_than_a_source_is_forgotten(tmp_path, monkeypatch, caplog, changed):
    caplog.set_level("INFO")
    folder = tmp_path / "made_up_for_a_test"
    (folder / "__pycache__").mkdir(parents=True)
    index = folder / "__pycache__" / "compiled.add-1.py311.nbi"
    for path in (folder / "__init__.py", folder / "compiled.py", folder / "other.py", index):
        path.touch()
        os.utime(path, (1000, 1000))
    monkeypatch.setattr(sys.modules["dlcourse"], "__path__", [*sys.modules["dlcourse"].__path__, str(tmp_path)])
    numba_cache.import_compiled(NAME)
    assert index.exists() and "compiling" not in caplog.text
    os.utime(folder / changed, (2000, 2000))
    monkeypatch.delitem(sys.modules, NAME)
    numba_cache.import_compiled(NAME)
    assert not index.exists() and f"compiling {NAME}: up to 20 s" in caplog.text
    for name in (NAME, NAME.rpartition(".")[0]):
        sys.modules.pop(name)
