"""Mistakes that a config shows by itself are found without torch, and by what the classes say as well."""

import subprocess
import sys

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from dlcourse.analysis.reduction import METHODS
from dlcourse.config import choices, compose
from dlcourse.config.values import AT_LEAST_ONE, DATA, MODELS, REDUCTIONS, check_values
from dlcourse.errors import UserError

WRONG = [
    (["model=knn", "data=digits8", "model.k=0"], "model.k=0 is below 1: use for example 3"),
    (["model=nearest_centroid", "data=digits8", "model.reduce=t-sne"], "model.reduce=t-sne is unknown: use none, pca"),
    (["model=mlp", "data=digits8", "trainer.max_epochs=0"], "trainer.max_epochs=0 is not a positive integer: use for"),
    (["model=mlp", "data=digits8", "data.batch_size=0"], "data.batch_size=0 is below 1: use for example 64"),
    (["model=mlp", "data=clocks"], "model=mlp needs classes, but data=clocks has time: choose other data"),
    (["model=clock_cyclic", "data=mnist"], "model=clock_cyclic needs time, but data=mnist has classes"),
    (["model=cnn", "data=toons"], "model=cnn needs classes, but data=toons has pictures: choose other data"),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG)
def test_a_wrong_value_gets_a_sentence(words, sentence):
    with pytest.raises(UserError, match=sentence):
        check_values(compose(*words))


def test_a_wrong_command_does_not_import_torch(tmp_path):
    script = (
        "import sys\nfrom dlcourse.cli.launch import launch\nfrom dlcourse.train import task\n"
        "try:\n    launch('train', task)\nfinally:\n    assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    words = ["model=clock_multihead", "data=mnist", "hydra.run.dir=run"]
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "model=clock_multihead needs time, but data=mnist has classes" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("group", "kinds", "attribute"), [("model", MODELS, "kind"), ("data", DATA, "task_kind")])
def test_the_kinds_are_those_of_the_classes(group, kinds, attribute):
    other = {"model": ["data=mnist"], "data": ["model=mlp"]}[group]
    seen = set()
    for name in choices(group):
        kind = get_object(compose(f"{group}={name}", *other)[group]._target_)
        module = kind.__module__.rpartition(".")[2]
        seen.add(module)
        # a generative model reads labelled images as well, and is not refused
        assert kinds.get(module, "pictures") == getattr(kind, attribute), name
    assert set(kinds) <= seen


def test_classes_of_a_user_are_not_checked():
    words = ("model=mlp", "data=clocks", "model._target_=mypackage.Reader", "trainer.max_epochs=-1")
    check_values(compose(*words))


def test_the_checked_names_exist():
    assert tuple(METHODS) == REDUCTIONS
    knn = compose("model=knn", "data=digits8")
    assert all(OmegaConf.select(knn, key) for key in AT_LEAST_ONE)
