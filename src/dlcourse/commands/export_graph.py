"""Exports a run's computations as files that work without dlcourse: ONNX, or programs of torch.export."""

import io
import json
import logging
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dlcourse.errors import UserError
from dlcourse.models.build import load_run
from dlcourse.models.graphs import Graph, graphs, metadata
from dlcourse.runs.files import replaced
from dlcourse.runs.result import read_result
from dlcourse.runs.table import text_table

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
METADATA = "metadata.json"  # extra file in a program of torch.export
OLDEST = 18  # opset that torch's exporter writes without conversion
CHECKED = (1, 3)  # batch sizes of the comparison with the run's outputs


def export_graphs(
    run: Path, output: Path, format: str, opset: int | None = None, trust: Iterable[str] = ()
) -> list[Path]:
    """Write a run's computations as files, and compare their answers with the run's.

    Args:
        run: folder of a completed run.
        output: the output folder; files of the same name are replaced.
        format: `onnx` or `torch`.
        opset: version of the ONNX operators; None: the exporter's.
        trust: packages or full class names outside dlcourse that the run may build.

    Returns:
        The written files: `model`, or of generative models `encoder` and `decoder`, or `generator`, with the suffix
        .onnx or .pt2.

    Raises:
        UserError: the run does not exist or is not completed, its family cannot be exported, a package is missing, or
            the opset is not supported.
    """
    if format == "onnx":
        _check_packages(opset)
    cfg, model = load_run(run, trust)
    before = read_result(run)
    if before is None or before.status != "completed":
        raise UserError(f"{run} is not a completed run: resume it with python -m dlcourse.train run={run}")
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file: use a folder")
    parts = graphs(model)
    with _quiet():
        files = [_file(part, format, opset, metadata(cfg, model, part)) for part in parts]
        differences = [_difference(part, file, format, opset) for part, file in zip(parts, files, strict=True)]
    output.mkdir(parents=True, exist_ok=True)
    paths = [output / f"{part.name}{SUFFIXES[format]}" for part in parts]
    for path, file in zip(paths, files, strict=True):
        with replaced(path) as temporary:
            temporary.write_bytes(file)
    rows = [
        [path.name, f"{part.input}: {part.unit}", ", ".join(part.outputs), f"{len(file) / 2**20:.1f}", f"{gap:.1g}"]
        for path, part, file, gap in zip(paths, parts, files, differences, strict=True)
    ]
    print(text_table(["file", "input", "outputs", "MB", "difference"], rows))
    print(f"\nThe difference is the largest of the file's answers from the run's.\nFiles saved to {output}")
    return paths


def _check_packages(opset: int | None) -> None:
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(f"format=onnx needs the package {error.name}: uv sync --extra onnx") from None
    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not (isinstance(opset, int) and OLDEST <= opset <= newest):
        raise UserError(f"opset={opset} is not an opset of ONNX that can be exported: use {OLDEST} to {newest}")


def _file(part: Graph, format: str, opset: int | None, facts: dict[str, str]) -> bytes:
    """One computation as the content of a file."""
    into = io.BytesIO()
    try:
        with torch.no_grad():
            program = torch.export.export(part.module, (part.draw(2),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        if format == "torch":
            torch.export.save(program, into, extra_files={METADATA: json.dumps(facts)})
            return into.getvalue()
        exported: Any = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=[part.input],
            output_names=list(part.outputs),
            dynamic_shapes=({0: "N"},),
        )
    except Exception as error:  # the exporters raise many types for what they cannot express
        what = f"opset={opset}" if opset is not None else f"{type(part.module.model).__name__} with these options"
        remedy = f"use opset={OLDEST}" if opset is not None else "use format=packed"
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise UserError(f"{what} cannot be exported ({type(error).__name__}: {reason[:200]}): {remedy}") from error
    exported.model.metadata_props.update(facts)
    return exported.model_proto.SerializeToString()


def _difference(part: Graph, file: bytes, format: str, opset: int | None) -> float:
    """Largest difference of a file's answers from the module's, over small batches."""
    if format == "torch":
        call: Any = torch.export.load(io.BytesIO(file)).module()
    else:
        call = partial(_run_onnx, _session(file, opset), part.input)
    found = []
    with torch.no_grad():
        for count in CHECKED:
            x = part.draw(count)
            for ours, theirs in zip(part.module(x), call(x), strict=True):
                found.append((ours.double() - theirs.double()).abs().max().item())
    return max(found)


def _session(file: bytes, opset: int | None) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime's own types
        reason = " ".join(str(error).partition("\n")[0].split())
        remedy = f"use opset={OLDEST}" if opset is not None else "export it with format=torch"
        raise UserError(
            f"onnxruntime {onnxruntime.__version__} does not open the file ({reason[:200]}): {remedy}"
        ) from None


def _run_onnx(session: Any, name: str, x: torch.Tensor) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in session.run(None, {name: x.numpy()})]


@contextmanager
def _quiet():
    """Without the exporters' warnings and logs, which are about their own code."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
