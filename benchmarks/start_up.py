"""`--help` and `--cfg job`: the same entry with torch and lightning imported at its top."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from benchmarks.table import Row, measured, spent

ENTRY = "from dlcourse.train import task; from dlcourse.cli.launch import launch; launch('train', task)"
HEAVY = "import torch, lightning.pytorch; "


def rows(quick: bool) -> Iterator[Row]:
    """Both commands, in turns with their slower likes."""
    with tempfile.TemporaryDirectory() as folder:
        measured(HEAVY, folder=folder)  # the files of the packages are in memory then
        for words in (["--help"], ["model=mlp", "data=mnist", "--cfg", "job"]):
            pairs = []
            for _ in range(1 if quick else 5):
                ours, theirs = (measured(code, *words, folder=folder) for code in (ENTRY, HEAVY + ENTRY))
                assert ours[2] == theirs[2], "both print the same"
                pairs.append((ours, theirs))
            wall, cpu = ([sorted(pair[side][i] for pair in pairs)[len(pairs) // 2] for side in (0, 1)] for i in (0, 1))
            what = f"train {' '.join(words)}"
            more = {"ours_cpu_s": cpu[0], "theirs_cpu_s": cpu[1]}
            yield spent(what, wall[0], "torch and lightning imported first", wall[1], least=6, more=more)
