"""The one exception that a user's mistake raises: its message is the sentence that the command line prints."""


class UserError(Exception):
    """Something the user can mend. The message says in one sentence what is wrong and what to do about it."""


class Stopped(KeyboardInterrupt):
    """A run was asked to end by a signal, and has said so; `signum` tells by which."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum
