"""Pack a run into a small folder: `python -m dlcourse.export run=DIR`; by default the built-in clock reader."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """Write packed weights, config.yaml and result.json to `output`."""
    if cfg.run is None:
        raise UserError("run is missing: pass the run folder to pack, run=DIR")
    from dlcourse.commands.export import export
    from dlcourse.runs.table import result_table

    output = Path(cfg.output) if cfg.output is not None else None
    result, output = export(Path(cfg.run), output, cfg.bits, cfg.trust)
    print(result_table(result, output))
    print(f"{result.checkpoint_mb} MB in {cfg.bits} bits; the test metrics are measured with these weights")
    return result


if __name__ == "__main__":
    launch("export", task)
