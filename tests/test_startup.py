"""Commands start without the compiler and the parts of torchmetrics that they do not use, and lose nothing by it."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

SCRIPT = """
import runpy, sys

sys.argv[1:] = ["model=mlp", "data=digits8", "trainer.max_epochs=1", "trainer=cpu", "plots=false", "hydra.run.dir=run"]
runpy.run_module("dlcourse.train", run_name="__main__")
loaded = [name for name in ("torch._dynamo.config", "torchvision", "scipy", "sklearn", "sympy") if name in sys.modules]
assert loaded == [], loaded

import torch
from lightning.fabric.wrappers import OptimizedModule
from torchmetrics.image.fid import NoTrainInceptionV3  # the one image metric of dlcourse

net = torch.nn.Linear(2, 1)
assert not isinstance(net, OptimizedModule)
compiled = torch.compile(net, backend="eager")
assert isinstance(compiled, OptimizedModule) and not isinstance(net, OptimizedModule)
assert torch.equal(compiled(torch.ones(3, 2)), net(torch.ones(3, 2)))
import torch._dynamo.utils

assert torch._dynamo.utils is sys.modules["torch._dynamo.utils"] and torch._dynamo.config is not None
optimizer = torch.optim.Adam(net.parameters())
compiled(torch.ones(3, 2)).sum().backward()
optimizer.step()
"""


@pytest.mark.whole
@pytest.mark.skipif(
    find_spec("torch_fidelity") is not None, reason="torchmetrics imports torch_fidelity, and it the rest"
)
def test_a_command_imports_neither_the_compiler_nor_unused_parts(tmp_path):
    found = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "run" / "result.json").exists()


def test_torchmetrics_is_whole_for_classes_from_elsewhere(tmp_path):
    script = (
        "from dlcourse.cli.startup import shorten; from lightning_utilities.core.imports import RequirementCache\n"
        "shorten(['+callbacks.mine._target_=mypackage.Mine'])\nshorten(['trust=[mypackage]'])\n"
        "assert RequirementCache('torchvision')\n"
        "shorten(['model=mlp'])\nassert not RequirementCache('torchvision') and RequirementCache('numpy')"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
