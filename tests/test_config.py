"""Every shipped YAML composes, names only what exists, and says what it is."""

import re
import subprocess
import sys

import pytest
import yaml
from hydra.utils import get_object
from omegaconf import OmegaConf

from dlcourse.config import CONF, check_keys, choices, compose, nearest
from dlcourse.errors import UserError
from dlcourse.runs.keys import keys_of
from dlcourse.runs.references import references
from dlcourse.runs.stored_config import buildable

GROUPS = ["data", "model", "trainer", "callbacks", "logger", "debug", "search", "experiment"]
NESTED = ["data/augment", "data/scene", "model/net", "model/encoding", "model/optimizer", "model/schedule"]
CHOICES = [(group, name) for group in [*GROUPS, *NESTED] for name in choices(group)]


@pytest.mark.parametrize(("group", "name"), CHOICES, ids=lambda x: str(x))
def test_every_choice_composes(group, name):
    base = [] if group in ("experiment", "search") else ["model=clock_multihead", "data=clocks"]
    base = [word for word in base if not word.startswith(f"{group}=")]
    base = ["model=clock_transfer", "data=clocks"] if group == "model/encoding" else base
    value = f"[{name}]" if group == "logger" else name
    cfg = compose(*base, f"{group}={value}")
    check_keys(cfg)
    OmegaConf.resolve(cfg)
    assert cfg.model.name and cfg.data.name


@pytest.mark.parametrize("target", sorted(buildable()))
def test_every_target_exists(target):
    assert callable(get_object(target))


def test_every_yaml_is_a_choice_of_some_group_or_a_command():
    known = {f"{group}/{name}" for group, name in CHOICES}
    files = {p.relative_to(CONF).with_suffix("").as_posix() for p in CONF.rglob("*.yaml")}
    families = {f"model/family/{name}" for name in choices("model/family")}
    known |= {f"hydra/launcher/{name}" for name in choices("hydra/launcher")}  # tests/test_launchers.py runs them
    verbs = {"train", "evaluate", "predict", "export", "sample", "embed", "report", "app"}
    shared = {"references", "hydra/dlcourse", "hydra/sweeper/grid", "hydra/sweeper/search", "search/sampler/tpe"}
    assert files - known - families == verbs | shared


@pytest.mark.parametrize("name", choices("model"))
def test_a_model_states_its_budget_and_its_references(name):
    model = compose(f"model={name}", "data=clocks").model
    epochs = [model.epochs] if isinstance(model.epochs, int) else list(model.epochs.values())
    assert epochs and min(epochs) > 0
    rows = OmegaConf.to_container(model.references, resolve=False)
    ids = [row for some in rows.values() for row in some] if isinstance(rows, dict) else rows
    plain = [row for row in ids if "${" not in row]  # of the others not every one exists
    assert len(references(plain)) == len(plain)


def test_references_are_complete_and_unknown_ones_refused():
    rows = yaml.safe_load((CONF / "references.yaml").read_text())
    for name, row in rows.items():
        assert set(row) == {"metric", "value", "better", "what", "source"}, name
        assert row["better"] in ("lower", "higher", "same") and re.fullmatch(r"(train|val|test)/\w+", row["metric"])
    with pytest.raises(UserError, match="unknown reference G3-72; did you mean G3-720"):
        references(["G3-72"])


def test_nearest_name():
    assert nearest("clokcs", ["clocks", "mnist"]) == "; did you mean clocks?"
    assert nearest("dropout", ["model.dropout", "seed"]) == "; did you mean model.dropout?"
    assert nearest("zzz", ["a", "b"]) == "; choose from a, b"
    assert "model.optimizer.lr" in keys_of(compose("model=clock_cyclic", "data=clocks"))


def test_readers_of_a_run_know_every_name_that_a_config_can_ask_for():
    assert {"dlcourse.models.clock.ClockReader", "torch.optim.AdamW"} <= buildable()
    assert not any(name.startswith(("os.", "subprocess.", "builtins.")) for name in buildable())


def test_the_notebook_functions_are_imported_without_torch():
    code = (
        "import sys; from dlcourse import compose, load_run, run; compose('model=mlp', 'data=digits8');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
