"""A package outside the checkout: its names are offered, its runs are loaded with `trust` and not without."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from dlcourse import compose, config, run
from dlcourse.errors import UserError
from dlcourse.runs.result import read_result
from dlcourse.runs.stored_config import read_stored

GUIDE = (Path(__file__).parents[1] / "docs/guides/own-package.md").read_text("utf8")
FILES = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)```$", GUIDE, re.M | re.S))
COMMANDS = [shlex.split(line)[3:] for line in re.findall(r"^python -m dlcourse\.\w+ .*mypackage.*$", GUIDE, re.M)]
WORDS = ["model=mlp", "data=digits8", "trainer=cpu", "plots=false", "trainer.max_epochs=1", "data.view=picture"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The guide's `mypackage`, importable but not installed, which also imports something of the standard library."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"import os\nfrom os import getcwd\n{text}" if path.suffix == ".py" else text)
    package = tmp_path / "src" / "mypackage"
    monkeypatch.syspath_prepend(str(package.parent))
    yield package
    config.use_config_dir(None)
    config.plugins.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        del sys.modules[name]


def test_a_run_of_an_own_net_is_loaded_with_trust_alone(command, package):
    own = ["--config-dir", str(package / "conf"), *WORDS, "model/net=mytiny"]
    code, out, error = command("train", *own, "hydra.run.dir=run")
    assert code == 0, error
    again = f"dlcourse.train --config-dir {package / 'conf'}"
    assert f"Try next: python -m {again} -m {' '.join(WORDS)} model/net=mytiny seed=0,1,2" in out
    assert f"python -m {again} {' '.join(WORDS)} model/net=mytiny" in read_result(Path("run")).command
    assert (
        "this run builds mypackage.Tiny: commands that load it need trust=[mypackage]"
        in Path("run/train.log").read_text()
    )
    code, _, error = command("evaluate", "run=run", "plots=false")
    assert code == 1 and "asks for mypackage.Tiny, not part of dlcourse" in error and "trust=[mypackage]" in error
    assert command("evaluate", "run=run", "plots=false", "trust=[mypackage]")[0] == 0
    assert command("evaluate", "--config-dir", str(package / "conf"), "run=run", "plots=false")[0] == 0
    Image.new("L", (9, 9)).save("a.png")
    assert command("predict", "run=run", "trust=[mypackage]", "input=a.png")[0] == 0
    Path("run/result.json").unlink()
    assert command("train", "run=run")[0] == 1
    assert command("train", "run=run", "trust=[mypackage]")[0] == 0


def test_the_commands_of_the_guide(command, package):
    train, evaluate = COMMANDS[:2]
    assert command("train", *train, "trainer=cpu", "trainer.max_epochs=1", "plots=false")[0] == 0
    assert command("evaluate", *evaluate, "plots=false")[0] == 0


def test_a_loss_a_metric_a_callback_a_logger_and_an_augmentation(command, package, caplog):
    few = ["trainer=cpu", "trainer.max_epochs=2", "plots=false", "hydra.run.dir=run", "trainer.precision=32-true"]
    code, _, error = command("train", *COMMANDS[3], *few)
    assert code == 0, error
    result = read_result(Path("run"))
    assert result.model == "focal" and 0 < result.metrics["test/macro_f1"] < 1
    log = Path("run/train.log").read_text()
    assert re.search(r"epoch 2/2 .*val/macro_f1 0\.\d+", log)
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert any(row.get("train/gradient_norm", 0) > 0 for row in rows)
    assert OmegaConf.load("run/config.yaml").data.augment == {"_target_": "mypackage.salt.Salt", "share": 0.02}


def test_a_kind_of_task_has_its_own_plots_or_none(command, package, monkeypatch):
    words = [*COMMANDS[2], "trainer=cpu", "trainer.precision=32-true"]
    code, _, error = command("train", *words, "hydra.run.dir=run")
    assert code == 0 and {p.stem for p in Path("run/plots").glob("*.png")} == {"product"}, error
    assert 0 < read_result(Path("run")).metrics["test/rmse"] < 1
    monkeypatch.setattr("mypackage.product.Regression.extra_plots", ())
    code, out, error = command("evaluate", "run=run", "trust=[mypackage]")
    assert code == 0 and "test/rmse" in out, error
    assert not list(Path("run/evaluations").rglob("product.png"))


def test_a_lightning_module_object_is_trained_on_a_data_set_of_the_project(package, tmp_path):
    from mypackage.spiral import Spiral

    words = ["data=xor", "trainer=cpu", "trainer.max_epochs=1", "plots=false", "checkpoints.best=null"]
    result = run(compose(*words), model=Spiral(), folder=tmp_path / "run")
    assert result["status"] == "completed" and result["model"] == "Spiral"


@pytest.mark.whole
def test_a_lightning_module_is_trained_swept_resumed_and_reported_as_it_is(command, package):
    one, sweep = COMMANDS[4:]
    code, out, error = command("train", *one, "trainer=cpu", "hydra.run.dir=run", "trainer.max_epochs=2")
    assert code == 0 and "test/accuracy" in out and "spiral on spirals" in out, error
    result = read_result(Path("run"))
    assert result.metrics.keys() == {"train/loss", "val/accuracy", "test/accuracy"} and result.epochs == 2
    assert not list(Path("run").rglob("*.png"))
    from mypackage.spiral import Spiral

    assert Spiral.load_from_checkpoint("run/checkpoints/best.ckpt", weights_only=True).hparams.width == 16
    code, _, error = command("train", "run=run", "trust=[mypackage]", "trainer.max_epochs=3")
    assert code == 0 and read_result(Path("run")).epochs == 3, error
    code, out, error = command("evaluate", "run=run", "trust=[mypackage]", "trainer=cpu")
    (tested,) = Path("run/evaluations").iterdir()
    assert code == 0 and "test/accuracy" in out, error
    assert read_result(tested).metrics == {"test/accuracy": read_result(Path("run")).metrics["test/accuracy"]}
    code, _, error = command("evaluate", "run=run", "trust=[mypackage]", "eval_mode=false")
    assert code == 1 and "eval_mode=false does not support the LightningModule mypackage.spiral.Spiral" in error
    code, _, error = command("evaluate", "run=run", "trust=[mypackage]", "data=xor")
    assert code == 0, error
    code, _, error = command("predict", "run=run", "trust=[mypackage]", "input=.")
    assert code == 1 and "can only train and test: load it with Spiral.load_from_checkpoint('run/ch" in error
    code, _, error = command("train", *one, "model=mlp", "hydra.run.dir=other")
    assert code == 1 and "data=spirals is a LightningDataModule (mypackage.spiral.Spirals), which works with" in error
    code, _, error = command("train", *sweep, "trainer=cpu", "trainer.max_epochs=1")
    table = Path("outputs/sweeps/widths/sweep.csv").read_text()
    assert code == 0 and "test/accuracy" in table and len(table.splitlines()) == 3, error
    code, _, error = command("report", "folders=[run,outputs/sweeps/widths]")
    assert code == 0 and "spiral" in Path("outputs/report/report.html").read_text(), error


def test_objects_from_python_need_no_config(package, tmp_path):
    from mypackage.spiral import Spiral, Spirals

    best = ["checkpoints.best.monitor=val_accuracy", "checkpoints.best.mode=max"]
    cfg = compose("trainer.max_epochs=1", "trainer=cpu", *best)
    result = run(cfg, model=Spiral(4), data=Spirals(), folder=tmp_path / "run")
    assert result["model"] == "Spiral" and result["data"] == "Spirals" and result["parameters"] == 22
    with pytest.raises(UserError, match="Spirals is a LightningDataModule, which works with your own LightningModule"):
        run(compose("model=mlp"), data=Spirals(), folder=tmp_path / "other")


def test_a_package_that_fails_to_import_is_named(command, package):
    (package / "broken.py").write_text("import nothing_of_that_name\n")
    folder = ["--config-dir", str(package / "conf")]
    code, _, error = command("train", *folder, *WORDS, "model.net._target_=mypackage.broken.Net")
    said = "mypackage.broken.Net could not be imported (ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert code == 1 and said in error and error.count("\n") == 1
    code, _, error = command("train", *folder, *WORDS, "+callbacks.a._target_=mypackage.Nothing")
    assert code == 1 and "mypackage.Nothing could not be imported" in error and error.count("\n") == 1


def test_names_of_the_config_folder_are_offered(command, package):
    folder = str(package / "conf")
    code, _, error = command("train", "--config-dir", folder, *WORDS, "model/net=mytini")
    assert code == 1 and "mytiny" in error
    code, _, error = command("train", "--config-dir", "nowhere", *WORDS)
    assert code == 1 and "nowhere: folder not found" in error


def test_a_library_class_of_the_command_line(command):
    more = ["+callbacks.rate._target_=lightning.pytorch.callbacks.LearningRateMonitor", "hydra.run.dir=run"]
    code, _, error = command("train", *WORDS, *more)
    name = "lightning.pytorch.callbacks.LearningRateMonitor"
    assert code == 0, error
    assert f"trust=[{name}]" in Path("run/train.log").read_text()
    assert command("evaluate", "run=run", "plots=false")[0] == 1
    assert command("evaluate", "run=run", "plots=false", f"trust=[{name}]")[0] == 0


@pytest.mark.parametrize("target", ["mypackage.os.system", "mypackage.getcwd", "mypackage.nothing", "mypackages.Tiny"])
def test_trust_covers_what_the_package_defines_and_nothing_that_it_imports(package, tmp_path, target):
    (tmp_path / "config.yaml").write_text(f"model:\n  _target_: {target}\n")
    with pytest.raises(UserError, match=target):
        read_stored(tmp_path / "config.yaml", ["mypackage"])


def test_an_installed_plugin_is_trusted_and_offers_its_configs(command, package):
    installed = package.parent / "mypackage-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[dlcourse.plugins]\nmypackage = mypackage:conf\n")
    config.plugins.cache_clear()
    code, _, error = command("train", *WORDS, "model/net=mytiny", "hydra.run.dir=run")
    assert code == 0 and "trust=" not in Path("run/train.log").read_text(), error
    assert command("evaluate", "run=run", "plots=false")[0] == 0
    shutil.rmtree(package / "conf")
    config.plugins.cache_clear()
    code, _, error = command("train", *WORDS)
    assert code == 1 and "plugin mypackage=mypackage:conf: config folder" in error and "not found" in error


def test_an_interrupted_sweep_prints_the_command_that_continues_it(command, package, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dlcourse.commands.train.run", interrupted)
    flags = ["--config-dir", str(package / "conf"), "-m"]
    code, _, error = command("train", *flags, *WORDS, "model/net=mytiny", "seed=0,1", "name=two")
    words = " ".join([*flags, *WORDS, "model/net=mytiny", "seed=0,1", "name=two", "resume=true"])
    assert code != 0 and f"continue with: python -m dlcourse.train {words}" in error
