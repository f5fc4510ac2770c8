"""What may go wrong that is not a bug of ours."""


class BadInput(Exception):  # noqa: N818, it names what happened and not only that something did
    """The input cannot be used.  The message is one line: what, where, and what to do."""

    def __init__(self, message: str, example: str = "") -> None:
        super().__init__(message)
        self.example = example
        """Lines of code that would settle it, where a line of prose cannot say that."""


class LayerRaised(Exception):  # noqa: N818, likewise
    """The user's layer raised; ``__cause__`` is what it raised.  The message is one line that says where."""


class Unspelled(Exception):  # noqa: N818, likewise
    """A finding or a layer cannot be written down as a test.  The message is one clause that says why."""


class NotImplementedByLayer(LayerRaised):
    """The layer says of itself that this is not written yet: NotImplementedError, or None for a result."""
