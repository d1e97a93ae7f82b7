"""A run as a small folder that answers: `python -m dlcourse.export run=DIR`; by default the built-in clock reader."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """Packed weights, config.yaml and result.json in `output`."""
    if cfg.run is None:
        raise UserError("export needs a run: run=DIR, a folder that train wrote")
    from dlcourse.commands.export import export
    from dlcourse.models.build import READER
    from dlcourse.runs.table import result_table

    output = Path(cfg.output) if cfg.output is not None else READER
    result = export(Path(cfg.run), output, cfg.bits, cfg.trust)
    print(result_table(result, output))
    print(f"{result.checkpoint_mb} MB in {cfg.bits} bits; the test figures are of these weights")
    return result


if __name__ == "__main__":
    launch("export", task)
