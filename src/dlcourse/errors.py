"""The one exception that a user's mistake raises: its message is the sentence that the command line prints."""


class UserError(Exception):
    """Something the user can mend. The message says in one sentence what is wrong and what to do about it."""
