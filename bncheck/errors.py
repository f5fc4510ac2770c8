"""What may go wrong that is not a bug of ours."""


class BadInput(Exception):  # noqa: N818, it names what happened and not only that something did
    """The input cannot be used.  The message is one line: what, where, and what to do."""
