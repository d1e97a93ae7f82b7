"""The words at the end of a run are computed from its result."""

import shlex

import pytest

from dlcourse.config import quote_override
from dlcourse.runs.conclusions import conclude
from dlcourse.runs.result import Result

D1 = {"id": "D-1epoch", "metric": "test/accuracy", "value": 0.9927, "better": "higher"}


def result(overrides=("model=cnn", "data=mnist"), references=(), **changes):
    given = {"model": "cnn", "data": "mnist", "parameters": 10, "references": list(references)} | changes
    metrics = {name.replace("_", "/", 1): value for name, value in given.pop("metrics", {}).items()}
    return Result("train", "completed", metrics=metrics, overrides=list(overrides), **given)


def said(*arguments, **changes):
    return " ".join(conclude(*arguments, **changes).sentences)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plots").mkdir()
    return tmp_path


def test_accuracy_stands_beside_the_reported_one_and_the_most_confused_pair_is_named(folder):
    (folder / "plots/confused_pairs.csv").write_text("truth,answered,count,share\n4,9,12,0.01\n7,1,3,0.01\n")
    (folder / "plots/confused_pairs.png").touch()
    (folder / "plots/curves.png").touch()
    found = result(
        ["experiment=mnist/fast"], [D1], metrics={"train_accuracy": 0.995, "val_accuracy": 0.992, "test_accuracy": 0.99}
    )
    text = said(found, folder)
    assert "99.00 % of the test images are classified correctly, beside 99.27 % reported (D-1epoch): worse." in text
    assert "training images and on new ones are similar" in text and "4 classified as 9 (12 times)" in text
    assert conclude(found, folder).picture == folder / "plots/confused_pairs.png"
    assert conclude(found, folder).command == "python -m dlcourse.train -m experiment=mnist/fast seed=0,1,2"


def test_overfitting_is_said_and_augmentation_is_what_to_try(folder):
    (folder / "plots/curves.png").touch()
    found = result(metrics={"train_accuracy": 1.0, "val_accuracy": 0.95, "test_accuracy": 0.95})
    end = conclude(found, folder)
    assert "the model overfits" in " ".join(end.sentences) and end.picture == folder / "plots/curves.png"
    assert end.command == "python -m dlcourse.train model=cnn data=mnist data/augment=digits"


def test_test_images_of_another_kind_are_told_apart_from_a_bad_fit(folder):
    text = said(result(metrics={"train_accuracy": 0.98, "val_accuracy": 0.97, "test_accuracy": 0.4}), folder)
    assert "The test images differ from the training images: accuracy is 97.00 % on validation images" in text
    assert "differ" not in said(result(metrics={"val_accuracy": 0.97, "test_accuracy": 0.96}), folder)


def test_a_run_that_still_improves_asks_for_more_epochs(folder):
    (folder / "metrics.csv").write_text("epoch,step,val/accuracy\n0,1,0.5\n1,2,0.7\n2,3,0.8\n")
    found = result(["model=cnn", "data=mnist", "trainer.max_epochs=3"], metrics={"test_accuracy": 0.8})
    assert conclude(found, folder).command == "python -m dlcourse.train model=cnn data=mnist trainer.max_epochs=6"


def test_rendered_clocks_are_not_compared_and_large_errors_are_told_from_small_ones(folder):
    g4 = {"id": "G4", "metric": "test/error_minutes", "value": 11.71, "better": "lower"}
    metrics = {"test_error_minutes": 4.0, "test_error_minutes_median": 0.2, "test_within_one_minute": 0.9}
    text = said(result(references=[g4], rendered=True, metrics=metrics, data="clocks"), folder)
    assert "4.00 min off on average; these images are rendered" in text and "a few large errors" in text
    assert "better" not in text and "worse" not in text


def test_samples_stand_between_real_images_and_the_mean_image(folder):
    (folder / "plots/samples.png").touch()
    metrics = {"test_frechet_distance": 50.0, "test_real_frechet_distance": 5.0, "test_nearest_ratio": 0.3,
               "test_mean_picture_frechet_distance": 200.0}  # fmt: skip
    end = conclude(result(metrics=metrics), folder)
    text = " ".join(end.sentences)
    assert "real images have 5, the mean image 200" in text and "memorised" in text
    assert "not learned" not in text
    assert "has not learned to generate images yet" in said(
        result(metrics=metrics | {"test_frechet_distance": 300.0}), folder
    )
    metrics |= {"train_reconstruction_rmse": 13.8, "val_reconstruction_rmse": 14.12}
    text = said(result(metrics=metrics), folder)
    assert "(reconstruction error 13.80 in training, 14.12 on validation images)" in text
    assert end.command == f"python -m dlcourse.sample run={folder} n=64"


def test_a_trial_proves_nothing_and_no_metrics_are_no_error(folder):
    trial = conclude(result(["model=cnn", "data=mnist", "debug=fast"], metrics={"test_accuracy": 0.1}), folder)
    assert "ignore" in trial.sentences[0] and trial.command == "python -m dlcourse.train model=cnn data=mnist"
    assert conclude(result(), folder).sentences == [] and conclude(result(overrides=[]), folder).command


def test_a_path_in_the_next_command_is_as_one_types_it(folder):
    path = "data.path=my photos (1)/it's ${x} \\ b"
    found = result(["model=mlp", "data=folder", quote_override(path, "train")], metrics={"test_accuracy": 0.8})
    assert shlex.split(conclude(found, folder).command)[6] == path
    assert shlex.split(found.command)[5] == path


def test_a_map_of_the_data_is_what_to_try_after_neighbours(folder):
    """Embed refuses a run without a linear layer."""
    words = ["model=knn", "data=digits8", "data.view=picture", "model.k=3"]
    end = conclude(result(words, parameters=0, metrics={"test_accuracy": 0.9}), folder)
    assert end.command == "python -m dlcourse.embed method=tsne data=digits8 data.view=picture"
    end = conclude(result(["experiment=digits/a2"], parameters=0, metrics={"test_accuracy": 0.9}), folder)
    assert end.command == "python -m dlcourse.embed method=tsne data=mnist"
