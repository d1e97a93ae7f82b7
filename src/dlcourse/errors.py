"""The exceptions of dlcourse."""


class UserError(Exception):
    """An error that the user can fix; its message says in one sentence what is wrong and what to do."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the error's type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class Stopped(KeyboardInterrupt):
    """A signal has stopped a run, which has printed how to resume it; `signum` is the signal's number."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum
