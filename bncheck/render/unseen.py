"""Characters that no page and no drawing can hold, or that turn the text around them."""

from __future__ import annotations

import re

# Controls, what overrides the direction of writing, halves of pairs, and what is no character.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def shown(text: str) -> str:
    """The same with an escape in the place of each of them."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
