"""Exported files answer as the run does, without dlcourse, and say what they are."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.commands import export_graph
from dlcourse.config import compose
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.build import build_model, load_run
from dlcourse.models.graphs import graphs, metadata
from tests.conftest import NET

STORED = Path(__file__).parent / "stored" / "classifier"
GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "export.md"
CLASSES = Task("own", "classes", (3, 12, 12), (100.0, 90.0, 80.0), (50.0, 50.0, 50.0), ("a", "b", "c"))
TIME = Task("clocks", "time", (1, 32, 32), 100.0, 50.0)
FACES = Task("faces", "pictures", (3, 16, 16), 0.0, 1.0)
XOR = Task("xor", "classes", (2,), 0.5, 0.5, ("0", "1"))
CLOCK = ["data=clocks", *NET]
FACE = ["data=faces", "model.net.width=4", "model.net.layers=2", "model.latent=3"]
FLOW = ["model=flow", "model.net.widths=[4,8]", "model.steps=2"]
RANDOM = ["model.net.pretrained=false", "model.net.train=all"]
TOLD = replace(FACES, factors=("shape", "size"), categories=(3, 0))
FAMILIES = {
    "classifier": (CLASSES, ["model=mlp", "data=folder", "model.net.widths=[8]"], ["model"]),
    "convolutions": (CLASSES, ["model=simple_cnn", "data=folder"], ["model"]),
    "centroid": (CLASSES, ["model=nearest_centroid", "data=folder"], ["model"]),
    "neighbours": (CLASSES, ["model=knn", "data=folder"], ["model"]),
    "perceptron": (CLASSES, ["model=perceptron", "data=folder", "model.seeds=2"], ["model"]),
    "xor": (XOR, ["model=xor", "data=xor", "model.restarts=3"], ["model"]),
    "xor_search": (XOR, ["model=xor_search", "data=xor", "model.attempts=3"], ["model"]),
    "heads": (TIME, ["model=clock_multihead", *CLOCK], ["model"]),
    "classes": (TIME, ["model=clock_classification", *CLOCK], ["model"]),
    "number": (TIME, ["model=clock_regression", *CLOCK], ["model"]),
    "cyclic": (TIME, ["model=clock_cyclic", *CLOCK], ["model"]),
    "any_clock": (
        replace(TIME, in_shape=(3, 128, 128)),
        ["model=clock_any", "data=clocks", "model.net.finder=[4,4,8]", "model.net.reader=8"],
        ["model"],
    ),
    "pretrained": (CLASSES, ["model=timm", "data=folder", *RANDOM, "model.net.name=test_resnet"], ["model"]),
    "transfer": (CLASSES, ["model=transfer", "data=folder", *RANDOM, "model.net.size=32"], ["model"]),
    "clock_transfer": (
        replace(TIME, in_shape=(1, 64, 64)),
        ["model=clock_transfer", "data=clocks", *RANDOM, "model.net.name=test_resnet"],
        ["model"],
    ),
    "autoencoder": (FACES, ["model=autoencoder", *FACE], ["encoder", "decoder"]),
    "vae": (
        FACES,
        ["model=vae", *FACE, "model.prior=fitted", "model.net.palette=3", "model.net.mixing=sparsemax"],
        ["encoder", "decoder"],
    ),
    "gan": (
        FACES,
        ["model=gan", *FACE, "model.discriminator.width=4", "model.discriminator.layers=2", "model.ema=0.9"],
        ["generator"],
    ),
    "flow": (FACES, [*FLOW, "data=faces", "model.solver=heun"], ["encoder", "decoder"]),
    "told": (TOLD, ["model=vae", *FACE[1:], "data=toons", "model.conditional=true"], ["encoder", "decoder"]),
    "guided": (TOLD, [*FLOW, "data=toons", "model.conditional=true", "model.guidance=2"], ["encoder", "decoder"]),
}


def made(name: str):
    """An untrained model of a family, and its config."""
    task, words, _ = FAMILIES[name]
    torch.manual_seed(0)
    cfg = compose(*words)
    model = build_model(cfg, task).eval()
    if words[0] == "model=flow":  # its last layers are zero at first
        with torch.no_grad():
            for values in model.parameters():
                values.add_(0.05 * torch.randn(values.shape))
    if name in ("centroid", "neighbours"):
        model.fit_arrays(torch.randint(0, 256, (9, 12, 12, 3)).byte(), torch.arange(9) % 3)
    return cfg, model


@pytest.mark.slow  # two to four seconds each, of any_clock up to a minute
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_every_family_answers_alike_outside(name, format):
    cfg, model = made(name)
    parts = graphs(model)
    assert [part.name for part in parts] == FAMILIES[name][2]
    for part in parts:
        with export_graph._quiet():
            file = export_graph._file(part, format, None, metadata(cfg, model, part))
            assert export_graph._difference(part, file, format, None) < 1e-4


def test_a_run_is_exported_as_a_program_of_torch(command, tmp_path):
    code, out, err = command("export", f"run={STORED}", "format=torch", f"output={tmp_path / 'out'}")
    assert code == 0 and "difference" in out, err
    extra = {"metadata.json": ""}
    program = torch.export.load(tmp_path / "out" / "model.pt2", extra_files=extra)
    _, model = load_run(STORED)
    (part,) = graphs(model)
    x = part.draw(5)
    found = model.predict(x.numpy())
    np.testing.assert_allclose(program.module()(x)[0], found.probabilities, atol=1e-4)
    assert json.loads(json.loads(extra["metadata.json"])["class_names"]) == list(found.class_names)


@pytest.mark.whole
def test_an_onnx_file_works_without_dlcourse(tmp_path):
    """The guide's program answers as the model does, in a process that does not import torch or dlcourse."""
    cfg, model = made("classifier")
    (part,) = graphs(model)
    with export_graph._quiet():
        file = export_graph._file(part, "onnx", 18, metadata(cfg, model, part))
        assert export_graph._difference(part, file, "onnx", 18) < 1e-4
    (tmp_path / "model.onnx").write_bytes(file)
    names = [f"{i}.png" for i in range(3)]
    for name, image in zip(names, part.draw(3).numpy(), strict=True):
        Image.fromarray(image).save(name)
    code = re.search(r"```python\n(import json\n.*?)```", GUIDE.read_text(), re.DOTALL)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 15
    program = code[1] + "assert not {'torch', 'dlcourse'} & set(sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", program, "model.onnx", *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = model.predict(names)
    expected = zip(names, found.names, found.confidence, strict=True)
    assert done.stdout.splitlines() == [f"{name} {label} {p:.3f}" for name, label, p in expected]


def test_the_metadata_say_what_goes_in_and_out():
    cfg, model = made("heads")
    found = metadata(cfg, model, graphs(model)[0])
    assert found["input"] == "images: uint8 [N, 32, 32], 0 black to 255 white" and found["encoding"] == "MultiHead"
    assert json.loads(found["outputs"]) == ["minutes", "probabilities"] and found["height"] == "32"
    cfg, model = made("vae")
    encoder, decoder = graphs(model)
    found = metadata(cfg, model, decoder)
    assert found["latent"] == "3" and json.loads(found["latent_covariance"])[0] == [1, 0, 0]
    cfg.model.prior = "mixture"
    found = metadata(cfg, build_model(cfg, model.task), decoder)
    shapes = [torch.tensor(json.loads(found[f"mixture_{name}"])).shape for name in ("weights", "means", "factors")]
    assert shapes == [(16,), (16, 3), (16, 3, 3)]
    images = decoder.module(decoder.draw(2))[0]
    assert images.shape == (2, 16, 16, 3) and images.min() >= 0 and images.max() <= 1
    assert encoder.module(encoder.draw(2))[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["format=onxn"], "format=onxn is unknown; did you mean onnx?"),
        (["format=torch", "opset=18"], "opset=18 is an option of format=onnx"),
        (["format=onnx", "opset=99"], "opset=99 is not an opset of ONNX that can be exported: use 18 to"),
        (["format=torch", "run=nowhere"], "nowhere is not a run folder"),
        (["format=torch", "output=a.txt"], "output=a.txt is a file: use a folder"),
    ],
)
def test_wrong_words_get_one_sentence(command, words, said):
    Path("a.txt").touch()
    code, _, err = command("export", *([] if "run=nowhere" in words else [f"run={STORED}"]), *words)
    assert code == 1 and said in err and len(err.strip().splitlines()) == 1


def test_a_missing_package_and_an_old_onnxruntime_get_a_sentence(monkeypatch):
    import onnxruntime

    def refuse(*_, **__):
        raise RuntimeError("Opset 27 is under development and support for this is limited.")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    with pytest.raises(UserError, match=r"onnxruntime .* does not open the file \(Opset 27 .*\): use opset=18"):
        export_graph._session(io.BytesIO().getvalue(), 27)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match="format=onnx needs the package onnxscript: uv sync --extra onnx"):
        export_graph.export_graphs(STORED, Path("out"), "onnx")


def test_what_is_computed_outside_of_torch_is_refused():
    model = build_model(compose("model=knn", "data=folder", "model.reduce=pca"), CLASSES)
    with pytest.raises(UserError, match="model.reduce=pca is computed outside of torch and cannot be exported"):
        graphs(model)
