"""Property tests of the encodings: every time of the dial survives, errors are circular, gradients are finite."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.clocks.encodings import Classification, Cyclic, MultiHead, Regression, circular_error

TIMES = torch.arange(720)
DIVISORS = [n for n in range(1, 721) if 720 % n == 0]
EXACT = [
    Regression("mse"),
    Regression("mae"),
    Regression("circular"),
    Regression("circular", "hours"),
    Classification(720),
    Cyclic(),
    *(MultiHead(hour, "classes", decode) for hour in ("angle", "classes") for decode in ("joint", "independent")),
    *(MultiHead(hour, "regression", "independent") for hour in ("angle", "classes")),
]


@pytest.mark.parametrize("encoding", EXACT, ids=lambda e: f"{type(e).__name__}{e.outputs}")
def test_exact_encodings_give_every_time_back(encoding):
    decoded = encoding.decode(encoding.encode(TIMES))
    assert circular_error(decoded, TIMES).max() < 1e-2
    assert decoded.min() >= 0 and decoded.max() < 720


def test_one_number_in_hours_is_modulo_12():
    output, minutes = torch.tensor([[13.5], [-0.5], [6.0]]), torch.tensor([60, 0, 0])
    for loss, errors in (("circular", [0.5, 0.5, 6]), ("mse", [12.5, 0.5, 6]), ("mae", [12.5, 0.5, 6])):
        each = torch.tensor(errors) if loss == "mae" else torch.tensor(errors).square()
        torch.testing.assert_close(Regression(loss, "hours").loss(output, minutes), each.mean())
    assert Regression(unit="hours").decode(output).tolist() == [90, 690, 360]
    with pytest.raises(ValueError, match="unit=minutes is unknown: use dial or hours"):
        Regression(unit="minutes")


@pytest.mark.parametrize("classes", [*DIVISORS, 480, 7])
def test_classes_err_by_at_most_half_a_class(classes):
    encoding = Classification(classes)
    error = circular_error(encoding.decode(encoding.encode(TIMES)), TIMES)
    assert error.max() <= 720 / classes / 2 and len(set(encoding._class(TIMES).tolist())) == classes


@pytest.mark.parametrize(
    ("classes", "middle", "first"), [(24, 7.5, 14.5), (48, 11.2 / 3, 7), (120, 1.5, 2.5), (720, 0, 0)]
)
def test_the_middle_of_a_class_is_nearer_than_its_first_minute(classes, middle, first):
    for decode, wanted in (("middle", middle), ("first", first)):
        encoding = Classification(classes, decode)
        error = circular_error(encoding.decode(encoding.encode(TIMES)), TIMES).mean().item()
        assert error == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    "encoding", [*EXACT, Classification(24), Classification(480)], ids=lambda e: f"{type(e).__name__}{e.outputs}"
)
def test_any_output_gives_a_time_a_distribution_and_finite_gradients(encoding):
    generator = torch.Generator().manual_seed(0)
    output = (torch.randn(50, sum(encoding.outputs), generator=generator) * 10).requires_grad_()
    minutes = torch.randint(0, 720, (50,), generator=generator)
    encoding.loss(output, minutes).backward()
    assert torch.isfinite(output.grad).all() and output.grad.abs().sum() > 0
    decoded = encoding.decode(output.detach())
    assert ((decoded >= 0) & (decoded < 720)).all()
    probabilities = encoding.probabilities(output.detach())
    if probabilities is not None:
        assert probabilities.shape == (50, 720)
        torch.testing.assert_close(probabilities.sum(1), torch.ones(50))


@pytest.mark.parametrize(
    "encoding", [*EXACT, Classification(24), Classification(480)], ids=lambda e: f"{type(e).__name__}{e.outputs}"
)
def test_the_right_output_costs_less_than_a_wrong_one(encoding):
    right, wrong = encoding.encode(TIMES), encoding.encode((TIMES + 200) % 720)
    assert encoding.loss(right, TIMES) < encoding.loss(wrong, TIMES)


@given(st.floats(0, 719.99), st.floats(0, 719.99))
def test_error_is_symmetric_and_at_most_half_the_dial(a, b):
    first, second = torch.tensor([a]), torch.tensor([b])
    error = circular_error(first, second)
    assert 0 <= error <= 360
    torch.testing.assert_close(error, circular_error(second, first), atol=1e-3, rtol=0)
    direct = abs(a - b)
    assert error.item() == pytest.approx(min(direct, 720 - direct), abs=1e-3)


def test_error_wraps_at_twelve():
    assert circular_error(torch.tensor(719.0), torch.tensor(0.0)) == 1


@settings(max_examples=50)
@given(st.floats(-3, 3))
def test_regression_turns_any_number_into_a_time(value):
    decoded = Regression().decode(torch.tensor([[value]]))
    assert 0 <= decoded.item() < 720


@pytest.mark.parametrize("hour", ["angle", "classes"])
def test_a_minute_just_past_the_hour_is_not_an_hour_off(hour):
    encoding = MultiHead(hour, "regression", "independent")
    output = encoding.encode(TIMES)
    output[:, -1] -= 0.001
    assert circular_error(encoding.decode(output), TIMES).max() < 0.1


def test_circular_loss_knows_that_the_dial_closes():
    just_before, noon = torch.tensor([[719 / 720]]), torch.tensor([0])
    assert Regression("circular").loss(just_before, noon) < 1e-5
    assert Regression("mse").loss(just_before, noon) > 0.9


def test_joint_decoding_beats_the_floor_of_a_noisy_hour_hand():
    generator = torch.Generator().manual_seed(1)
    noisy = ((TIMES + torch.randn(720, generator=generator) * 4).round() % 720).long()
    joint, independent = MultiHead(decode="joint"), MultiHead(decode="independent")
    output = torch.cat([joint.encode(noisy)[:, :144], joint.encode(TIMES)[:, 144:]], 1)
    joint_error = circular_error(joint.decode(output), TIMES).mean()
    independent_error = circular_error(independent.decode(output), TIMES).mean()
    assert joint_error < 0.2 < 2 < independent_error


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Classification(721), "num_classes=721 is out of range for a dial of 720 minutes: use 1 to 720"),
        (lambda: Classification(0), "use 1 to 720"),
        (lambda: Classification(24, "last"), "decode=last is unknown: use middle or first"),
        (lambda: MultiHead(minute="regression"), "decode=joint requires minute=classes"),
        (lambda: MultiHead(hour="bins"), "hour=bins is unknown: use angle or classes"),
        (lambda: Regression("l1"), "loss=l1 is unknown: use circular, mse or mae"),
    ],
)
def test_wrong_options_are_refused_with_the_remedy(make, words):
    with pytest.raises(ValueError, match=words):
        make()
