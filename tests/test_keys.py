"""A key that nothing reads is refused before anything is prepared, with the key that was probably meant."""

import logging
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import dlcourse
from dlcourse.commands.run_log import console
from dlcourse.commands.train import run
from dlcourse.config import check_keys, compose, did_you_mean, nearest
from dlcourse.config.suggestions import suggest
from dlcourse.config.unread import parameters
from dlcourse.errors import UserError
from dlcourse.models.build import build
from dlcourse.models.classifier import Classifier
from dlcourse.training.progress import shows_bar

MLP = ["model=mlp", "data=digits8", "callbacks=early_stopping"]


class Foreign:
    """A class of another package that takes any option."""

    def __init__(self, known: int = 1, **options):
        self.options = options


class Extended(Classifier):
    """A class of another package that hands its options on."""

    def __init__(self, *args, strength: float = 1.0, **options):
        super().__init__(*args, **options)


@pytest.fixture(scope="module")
def mlp():
    return compose(*MLP)


def refusal(cfg, key, typed=True):
    """What is said of a key added to a config, by the command line or by a YAML."""
    cfg = cfg.copy()
    OmegaConf.update(cfg, key, 0.5, force_add=True)
    with pytest.raises(UserError) as error:
        check_keys(cfg, overrides=[f"+{key}=0.5"] if typed else [])
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("model.label_smothing", "model.label_smoothing"),
        ("model.net.dropuot", "model.net.dropout"),
        ("model.dropout", "model.net.dropout"),
        ("model.optimizer.momentun", "model.optimizer.momentum"),
        ("epochs", "trainer.max_epochs"),
        ("lr", "model.optimizer.lr"),
        ("model.lr", "model.optimizer.lr"),
        ("model.learning_rate", "model.optimizer.lr"),
        ("optimizer.lr", "model.optimizer.lr"),
        ("batch_size", "data.batch_size"),
        ("trainer.gradient_clip", "trainer.gradient_clip_val"),
        ("callbacks.early_stopping.min_dleta", "callbacks.early_stopping.min_delta"),
        ("callbacks.early_stoping.patience", "callbacks.early_stopping.patience"),
        ("checkpoints.best.save_topk", "checkpoints.best.save_top_k"),
        ("data.epochs", "trainer.max_epochs"),
        ("data.augmentt.noise", "data.augment.noise"),
        ("model.seeds", "seed=0,1,2 with -m"),
    ],
)
def test_a_key_that_nothing_reads_is_refused_with_the_one_meant(mlp, key, meant):
    assert refusal(mlp, key).startswith(f"unknown key {key}: ")
    assert refusal(mlp, key).endswith(f"; did you mean {meant}?")


def test_a_key_of_another_choice_names_the_keys_that_there_are(mlp):
    assert "Digits8 does not take it" in refusal(mlp, "data.num_workers")
    assert "; choose from data.augment, data.batch_size, " in refusal(mlp, "data.num_workers")
    assert "MetricsCSV does not take it" in refusal(mlp, "logger.csv.flush_every")
    assert refusal(mlp, "logger.mlflow.uri") == "logger.mlflow is set, but mlflow is not chosen: add logger=mlflow"


def test_a_preset_is_refused_with_the_override_that_removes_the_key(mlp):
    assert refusal(mlp, "model.label_smothing", typed=False) == (
        "Classifier does not take model.label_smothing, set by the model or preset: add '~model.label_smothing'; "
        "did you mean model.label_smoothing?"
    )


def test_keys_that_another_choice_left_behind_are_refused():
    with pytest.raises(UserError, match=r"cosine does not take model.*add '~model.schedule.monitor'"):
        check_keys(compose("experiment=mnist/d1", "model/schedule=cosine"), overrides=["model/schedule=cosine"])


def test_a_key_that_another_one_refers_to_is_read(mlp):
    cfg = mlp.copy()
    OmegaConf.update(cfg, "model.strength", 0.5, force_add=True)
    cfg.model.net.dropout = "${model.strength}"
    check_keys(cfg)
    cfg.model.net.dropout = "${oc.select:model.strength,0}"
    check_keys(cfg)


def test_a_class_with_further_options_takes_them(mlp):
    cfg = mlp.copy()
    name = f"{__name__}.Foreign"
    OmegaConf.update(cfg, "callbacks.mine", {"_target_": name, "anything": 3}, force_add=True)
    check_keys(cfg)
    assert build(cfg.callbacks.mine).options == {"anything": 3}
    assert parameters(Foreign)[1] and not parameters(Extended)[1]
    assert {"strength", "label_smoothing", "optimizer"} <= set(parameters(Extended)[0])
    cfg.model._target_ = f"{__name__}.Extended"
    assert "Extended does not take it; did you mean model.label_smoothing?" in refusal(cfg, "model.label_smothing")
    cfg.model._target_ = "nowhere.Model"
    assert "model._target_=nowhere.Model could not be imported" in refusal(cfg, "model.x")


def test_a_run_is_refused_before_its_data_is_read(mlp, monkeypatch):
    monkeypatch.setattr("dlcourse.commands.train.build_data", lambda cfg: pytest.fail("the data was built"))
    cfg = mlp.copy()
    OmegaConf.update(cfg, "model.label_smothing", 0.5, force_add=True)
    with pytest.raises(UserError, match="label_smoothing"):
        run(cfg, folder="mine")
    assert not Path("mine").exists()


def test_suggestions_follow_what_people_mean():
    known = {"model.l2", "model.optimizer.lr", "model/optimizer", "model.net.size", "seed", "threads", "experiment"}
    assert suggest("model.lr", known) == "model.optimizer.lr"
    assert suggest("optimizer", known) == "model/optimizer"
    assert suggest("model.lr", {"model.l2", "model.name"}) is None  # it has no learning rate
    assert suggest("data.size", {"model.net.size", "data.name"}) is None  # of another part of the config
    assert suggest("trainer.seed", known) == "seed"
    assert did_you_mean("data.zzz", {"data.path", "seed"}) == "; choose from data.path"


def test_a_part_of_a_name_is_answered_with_the_names_that_contain_it():
    presets = ["mnist/best", "mnist/d1", "mnist/fast", "fashion_mnist/best", "xor/b1"]
    assert nearest("mnist", presets) == "; did you mean mnist/fast, mnist/best or mnist/d1?"
    assert nearest("best", presets) == "; did you mean mnist/best or fashion_mnist/best?"
    assert nearest("resnet", ["mlp", "resnet50", "wide_resnet"]) == "; did you mean resnet50 or wide_resnet?"


def test_a_run_in_a_notebook_prints_its_lines(monkeypatch, capsys):
    """A notebook may come with a handler of its own, which shows warnings only."""
    quiet = logging.StreamHandler()
    quiet.setLevel(logging.WARNING)
    monkeypatch.setattr(logging.getLogger(), "handlers", [quiet])
    monkeypatch.setattr(logging.getLogger("dlcourse"), "level", logging.DEBUG)
    with console():
        logging.getLogger("dlcourse.training.progress").info("epoch 1/3")
    assert capsys.readouterr().err == "epoch 1/3\n"
    assert not shows_bar()
    monkeypatch.setitem(sys.modules, "ipykernel", logging)
    assert shows_bar()


def test_compose_in_a_notebook_says_what_the_command_line_says():
    path = "my data (1)/a=b, c's.npz"
    assert dlcourse.compose("model=mlp", "data=mnist", f"data.path={path}").data.path == path
    for words, said in (
        (["model=mlp", "data=digits8", "model.lr=0.1"], "unknown key model.lr; did you mean model.optimizer.lr?"),
        (["experiment=mnist"], "experiment=mnist is unknown; did you mean mnist/fast, "),
        (["model=a ("], """: write the value in quotes, as in "model='VALUE'\""""),
        (["mlp"], "mlp is not an option and not a run folder: write options as KEY=VALUE, as in model=mlp"),
    ):
        with pytest.raises(UserError) as error:
            dlcourse.compose(*words)
        assert said in str(error.value)
