"""The analysis against values worked out by hand, numpy and torchmetrics."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from dlcourse.analysis import classification
from dlcourse.analysis.classification import doubt_threshold

TASK = SimpleNamespace(classes=("a", "b", "c", "d"), groups=(), group_of=())
GROUPED = SimpleNamespace(classes=("a", "b", "c", "d"), groups=("ab", "cd"), group_of=(0, 0, 1, 1))
# answered a, b, b, d; the sums make the groups ab, ab, cd, cd
PROBABILITIES = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1], [0.05, 0.4, 0.25, 0.3], [0.0, 0.1, 0.0, 0.9]])
LABELS = torch.tensor([[0, 0], [0, 0], [2, 1], [0, 0]])


def random_answers(count: int, classes: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (count,), generator=generator)
    logits = torch.randn(count, classes, generator=generator)
    logits[torch.arange(count), labels] += 2
    return {"labels": labels, "probabilities": (1.5 * logits).softmax(1)}


def test_metrics_by_hand():
    found = classification.metrics({"labels": LABELS, "probabilities": PROBABILITIES}, GROUPED)
    assert found.keys() == {"accuracy", "coarse_accuracy", "ece"}
    assert found["accuracy"] == 0.25
    assert found["coarse_accuracy"] == 0.75  # the third answer is wrong, but c and d together are likelier than a and b
    assert found["ece"] == pytest.approx((0.3 + 0.6 + 0.4 + 0.9) / 4)  # each answer in a bin of its own


def test_metrics_without_probabilities():
    answers = {"labels": LABELS, "classes": torch.tensor([0, 1, 1, 3])}
    assert classification.metrics(answers, GROUPED) == {"accuracy": 0.25, "coarse_accuracy": 0.5}
    assert classification.confidences(answers) is None
    assert classification.worst_mistakes(answers).tolist() == [1, 2, 3]


def test_metrics_are_those_of_torchmetrics():
    answers = random_answers(500, 12)
    labels, probabilities = answers["labels"], answers["probabilities"]
    task = SimpleNamespace(classes=tuple("abcdefghijkl"), groups=(), group_of=())
    found = classification.metrics(answers, task)
    assert found["accuracy"] == pytest.approx(multiclass_accuracy(probabilities, labels, 12, average="micro").item())
    top5 = multiclass_accuracy(probabilities, labels, 12, average="micro", top_k=5).item()
    assert found["top5_accuracy"] == pytest.approx(top5)
    assert found["ece"] == pytest.approx(multiclass_calibration_error(probabilities, labels, 12).item())


def test_metrics_are_quick():
    threads = torch.get_num_threads()
    answers = random_answers(10_000, 100)
    task = SimpleNamespace(classes=tuple(map(str, range(100))), groups=tuple("ab"), group_of=(0, 1) * 50)
    answers["labels"] = torch.stack([answers["labels"], answers["labels"] % 2], 1)
    spent = []
    torch.set_num_threads(1)  # or they wait for each other where the tests share a core
    for _ in range(5):
        start = time.perf_counter()
        classification.metrics(answers, task)
        spent.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    assert min(spent) < 0.1


def test_confusion_counts_as_numpy_does():
    answers = random_answers(300, 5)
    expected = np.zeros((5, 5), int)
    np.add.at(expected, (answers["labels"].numpy(), answers["probabilities"].argmax(1).numpy()), 1)
    matrix = classification.confusion(classification.answered_class(answers), answers["labels"], 5)
    assert (matrix.numpy() == expected).all()


def test_class_errors_and_pairs_with_a_class_missing():
    truth = torch.tensor([0] * 4 + [1] * 2 + [3] * 5)  # no c
    answered = torch.tensor([0, 1, 1, 2, 1, 1, 3, 3, 3, 3, 0])
    matrix = classification.confusion(answered, truth, 4)
    rows = classification.class_errors(matrix, TASK.classes)
    assert rows[:3] == [("a", 4, 3, 0.75, "b"), ("d", 5, 1, pytest.approx(0.2), "a"), ("b", 2, 0, 0.0, "")]
    assert rows[3][:3] == ("c", 0, 0) and math.isnan(rows[3].error)
    assert classification.confused_pairs(matrix) == [(0, 1, 2, 0.5), (0, 2, 1, 0.25), (3, 0, 1, 0.2)]
    assert classification.confused_pairs(matrix, 1) == [(0, 1, 2, 0.5)]
    assert classification.confused_pairs(torch.eye(3, dtype=torch.int64)) == []


def test_group_answers_come_from_sums():
    answers = {"labels": LABELS, "probabilities": PROBABILITIES}
    assert classification.answered_class(answers).tolist() == [0, 1, 1, 3]
    assert classification.answered_group(answers, GROUPED).tolist() == [0, 0, 1, 1]


def test_calibration_bins_by_hand():
    sure, right = torch.tensor([1.0, 0.95, 0.95, 0.55]), torch.tensor([True, True, False, True])
    bins = classification.calibration_bins(sure, right, 10)
    assert [row.count for row in bins] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 3]  # exactly 1 lies in the last bin
    assert bins[9].confidence == pytest.approx(2.9 / 3) and bins[9].accuracy == pytest.approx(2 / 3)
    assert (bins[5].low, bins[5].high) == pytest.approx((0.5, 0.6)) and math.isnan(bins[0].accuracy)
    expected = 3 / 4 * (2.9 / 3 - 2 / 3) + 1 / 4 * 0.45
    assert classification.calibration_error(sure, right, 10) == pytest.approx(expected)


def test_calibration_error_is_that_of_its_bins():
    answers = random_answers(1000, 10)
    sure, right = answers["probabilities"].amax(1), classification.answered_class(answers) == answers["labels"]
    bins = classification.calibration_bins(sure, right)
    by_hand = sum(row.count * abs(row.accuracy - row.confidence) for row in bins if row.count) / 1000
    assert classification.calibration_error(sure, right) == pytest.approx(by_hand, abs=1e-6)


def test_a_probability_rounded_above_one_is_no_logit():
    sure, right = torch.tensor([1 + 1e-6, 1.0]), torch.tensor([True, True])
    assert classification.calibration_error(sure, right) == pytest.approx(0, abs=1e-6)


def test_worst_mistakes_are_the_surest():
    answers = {"labels": LABELS, "probabilities": PROBABILITIES}
    assert classification.worst_mistakes(answers).tolist() == [3, 1, 2]
    assert classification.worst_mistakes(answers, 2).tolist() == [3, 1]
    right = {"labels": torch.tensor([0]), "probabilities": torch.tensor([[0.9, 0.1]])}
    assert classification.worst_mistakes(right).tolist() == []


def test_the_threshold_of_doubt_is_where_answers_stop_being_wrong():
    sure = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    right = torch.tensor([0, 0, 1, 0, 0, 1, 1, 1, 1]).bool()
    assert doubt_threshold(sure, right) == pytest.approx(0.6)
    assert doubt_threshold(sure, torch.ones(9).bool()) == 0
    assert doubt_threshold(sure[:2], right[:2]) == 0  # too few to tell
