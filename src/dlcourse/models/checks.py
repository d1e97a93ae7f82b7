"""Checks of model options."""

from dlcourse.errors import UserError


def at_least_one(**counts: int) -> None:
    """Refuse counts below 1; the names are config keys.

    Raises:
        UserError: a count is below 1.
    """
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"model.{name}={value} is below 1: use for example 10")


def above_zero(**numbers: float) -> None:
    """Refuse numbers that are not above 0; the names are config keys.

    Raises:
        UserError: a value is not a number, not finite or not above zero.
    """
    for name, value in numbers.items():
        key = "optimizer.lr" if name == "lr" else name
        if not isinstance(value, (int, float)):
            raise UserError(f"model.{key}={value} is not a number: use for example 0.3")
        if not 0 < value < float("inf"):
            raise UserError(f"model.{key}={value} is not above 0: use for example 0.3")


def one_of(choices: tuple[str, ...], **words: str) -> None:
    """Refuse a value that is not one of the choices.

    Raises:
        UserError: it is not one of them.
    """
    for name, value in words.items():
        if value not in choices:
            raise UserError(f"model.{name}={value} is unknown: use {' or '.join(choices)}")
