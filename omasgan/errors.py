"""The one kind of error that a user can mend: shown as a single line, without a traceback."""


class UserError(Exception):
    """What was given, what is allowed and how to mend it, in one line; the program ends with exit code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
