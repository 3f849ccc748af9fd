"""The error that a user can correct."""


class UserError(Exception):
    """An error that a user can correct; shown as one line without a traceback, with exit code 1.

    Parameters
    ----------
    message
        What was given, what is allowed and how to correct it. Line breaks become spaces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
