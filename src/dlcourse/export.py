"""A run as files for other programs, or packed: `python -m dlcourse.export run=DIR format=onnx|torch|packed`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli.launch import launch
from dlcourse.config import nearest
from dlcourse.errors import UserError

FORMATS = ("packed", "onnx", "torch")


def task(cfg: DictConfig) -> Any:
    """Write the files of the chosen format to `output`."""
    if cfg.format not in FORMATS:
        raise UserError(f"format={cfg.format} is unknown{nearest(str(cfg.format), FORMATS)}")
    if cfg.opset is not None and cfg.format != "onnx":
        raise UserError(f"opset={cfg.opset} is an option of format=onnx: add that, or remove opset")
    if cfg.bits is not None and cfg.format != "packed":
        raise UserError(f"bits={cfg.bits} is an option of format=packed: add that, or remove bits")
    if cfg.data_dir is not None and cfg.format != "packed":
        raise UserError(f"data_dir={cfg.data_dir} is an option of format=packed: add that, or remove data_dir")
    if cfg.format != "packed":
        from dlcourse.commands.export_graph import export_graphs
        from dlcourse.models.build import built_in

        run = Path(cfg.run) if cfg.run is not None else built_in()
        output = run / "exported" if cfg.run is not None else Path("exported")
        return export_graphs(run, Path(cfg.output or output), cfg.format, cfg.opset, cfg.trust)
    if cfg.run is None:
        raise UserError("run is missing: pass the run folder to pack, run=DIR")
    from dlcourse.commands.export import export
    from dlcourse.runs.table import result_table

    output = Path(cfg.output) if cfg.output is not None else None
    result, output = export(Path(cfg.run), output, 8 if cfg.bits is None else cfg.bits, cfg.trust, cfg.data_dir)
    print(result_table(result, output))
    print(f"{result.checkpoint_mb} MB in {result.bits} bits; the test metrics are measured with these weights")
    return result


if __name__ == "__main__":
    launch("export", task)
