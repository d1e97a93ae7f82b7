"""Checks of model options."""

from dlcourse.errors import UserError


def at_least_one(**counts: int) -> None:
    """Refuse counts below 1, named as their keys in the config are.

    Raises:
        UserError: one of them is.
    """
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"model.{name}={value} is below 1: take 10, say")


def above_zero(**numbers: float) -> None:
    """Refuse numbers that are not above zero, named as their keys in the config are.

    Raises:
        UserError: one of them is not.
    """
    for name, value in numbers.items():
        key = "optimizer.lr" if name == "lr" else name
        if not isinstance(value, (int, float)):
            raise UserError(f"model.{key}={value} is no number: take 0.3, say")
        if not 0 < value < float("inf"):
            raise UserError(f"model.{key}={value} is not above 0: take 0.3, say")


def one_of(choices: tuple[str, ...], **words: str) -> None:
    """Refuse a word that is none of the choices.

    Raises:
        UserError: it is none of them.
    """
    for name, value in words.items():
        if value not in choices:
            raise UserError(f"model.{name}={value} is unknown: take {' or '.join(choices)}")
