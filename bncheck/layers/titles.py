"""What a class calls itself: a batch normalization, a variant of one, or another normalization."""

from __future__ import annotations

import re
from typing import Final

from bncheck.layers.conventions import flat, words

_LAYER: Final = re.compile(r"batch_*norm|(?<![a-z])bn(?![a-z])|normali[sz]ation|batch_*normali[sz]", re.IGNORECASE)
_EXACT: Final = re.compile(
    r"_*(my|simple|custom|numpy|np|spatial|conv)?(batchnorm(ali[sz]ation|ali[sz]e)?|bn|normali[sz]ation)"
    r"(layer|conv)?([123]d|conv|fc|dense|spatial)?(layer)?(numpy|np|naive)?"
)
_OTHER: Final = re.compile(
    r"(layer|instance|group|weight|spectral|rms|data|min_*max)_*norm|^test|dropout", re.IGNORECASE
)
_VARIANT: Final = re.compile(
    r"ghost|virtual|condition|^c(bn|batch)|adaptive|renorm|switchable|mean_*only|domain|filter_*response", re.IGNORECASE
)


def speaks_of_layer(name: str, docstring: str | None) -> bool:
    """Whether a class calls itself a batch normalization."""
    if _OTHER.search(name) or is_variant(name):
        return False
    split = " ".join(words(name))
    return bool(
        _LAYER.search(name)
        or _LAYER.search(split)
        or re.search(r"batch[\s_-]*norm", split + " " + (docstring or ""), re.IGNORECASE)
    )


def is_variant(name: str) -> bool:
    """GhostBatchNorm, ConditionalBatchNorm2d, BatchRenorm: a plain batch normalization is no measure of theirs."""
    return bool(_VARIANT.search(name) and re.search(r"norm|bn", name, re.IGNORECASE))


def says_batch(name: str) -> bool:
    """BatchNorm and BN1d, and not Normalization or NormLayer."""
    return bool(re.search(r"batch", name, re.IGNORECASE) or "bn" in re.sub(r"\d", "", " ".join(words(name))).split())


def is_exactly_layer(name: str) -> bool:
    """BatchNorm1d or BNLayer, and not BatchNormNet."""
    return bool(_EXACT.fullmatch(flat(name)))
