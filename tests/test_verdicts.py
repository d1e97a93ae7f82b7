"""What is said of a result beside a reported one."""

import pytest

from dlcourse.runs.verdicts import other_settings, verdict

PCA = {"metric": "train/trustworthiness", "value": 0.797, "better": "higher"}
SHARE = {"metric": "test/accuracy", "value": 0.9, "better": "higher"}
MINUTES = {"metric": "test/error_minutes", "value": 11.71, "better": "lower"}
DRAW = {"metric": "test/iterations", "value": 2910, "better": "same"}


@pytest.mark.parametrize(
    ("ours", "reference", "more", "said"),
    [
        (0.7965, PCA, {}, "the same"),
        (0.7959, PCA, {}, "worse"),
        (0.8995, SHARE, {}, "the same"),  # reported as 90.0 %
        (0.91, SHARE, {}, "better"),
        (0.91, SHARE, {"sd": 0.02}, "within noise"),
        (0.91, SHARE, {"sd": 0.005}, "better"),
        (0.91, SHARE, {"changed": ["trainer.max_epochs=1"]}, "not comparable"),
        (11.714, MINUTES, {}, "the same"),
        (11.0, MINUTES, {}, "better"),
        (11.0, MINUTES, {"rendered": True}, "measured on rendered images"),
        (2910.3, DRAW, {}, "the same"),
        (5820.0, DRAW, {"sd": 9999.0}, "2.00 times"),
        (None, SHARE, {}, ""),
    ],
)
def test_verdict(ours, reference, more, said):
    assert verdict(ours, reference, **more) == said


@pytest.mark.parametrize(
    ("command", "row", "changed"),
    [
        ("experiment=mnist/fast seed=3 threads=1 trainer=cpu trainer.precision=32-true", "D-1epoch", []),
        ("experiment=mnist/fast trainer.max_epochs=2", "D-1epoch", ["trainer.max_epochs=2"]),
        ("experiment=mnist/fast debug=fast", "D-1epoch", ["debug=fast"]),
        ("experiment=mnist/fast model=cnn", "D-1epoch", ["model=cnn"]),
        ("experiment=mnist/fast trainer.max_epochs=2 references=[D-1epoch]", "D-1epoch", []),
        ("model=mlp data=fashion_mnist", "C1", []),
        ("model=mlp data=fashion_mnist model/optimizer=sgd", "C1", ["model/optimizer=sgd"]),
        ("method=pca data=digits16", "A6-pca", []),
        ("experiment=xor/b3 model.optimizer.lr=0.6 model.init=normal", "B3-3-normal-1-0.6", []),
        ("experiment=xor/b3 model.optimizer.lr=0.7 model.init=normal", "B3-3-normal-1-0.6", ["model.optimizer.lr=0.7"]),
    ],
)
def test_settings_that_the_reported_run_did_not_have(command, row, changed):
    assert other_settings(command.split(), row) == changed
