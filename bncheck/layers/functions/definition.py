"""What the backward pass asks for and the forward pass does not leave: statistics that the caller is to compute."""

from __future__ import annotations

import re
from typing import Any

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.layers.functions import naming
from bncheck.layers.functions.layer import FunctionPass
from bncheck.vocabulary import Mode

_NORMALIZED = "xhat xnorm xnormalized normx normalizedx xn normalized normalised hatx zhat znorm zn ahat"
_VARIANCES = "var vars variance variances sigma2 sigmasq sigmasquared"


def known_as(name: str) -> str:
    """mean, var or xhat; "" for what has more than one meaning, as sigma has."""
    word = re.sub(r"^(batch|sample|mini|bn|saved|current|cur)+", "", naming.plain(name))
    if naming.is_kept(name):
        return ""
    if word in _NORMALIZED.split():
        return "xhat"
    return "var" if word in _VARIANCES.split() else "mean" if naming.role_of(word) == "mean" else ""


def is_of_xhat(name: str) -> bool:
    """dxhat, grad_x_norm: the upstream gradient times gamma."""
    found = re.fullmatch(r"(?:dl?d?|grad|gradient|delta)(\w+)", naming.plain(name))
    return bool(found) and found[1] in _NORMALIZED.split()  # type: ignore[index]


def dxhat(made: FunctionPass, dout: Array) -> Array:
    """In the layout of x."""
    layout = made.layer.layout
    rows = layout.outwards(dout, len(made.call.x)) if layout.name else dout
    return layout.inwards(rows * made.call.gamma)


def of_definition(made: FunctionPass) -> dict[str, Any]:
    """The batch's mean, variance and xhat, in the shapes that the functions take parameters and x in."""
    call, layout = made.call, made.layer.layout
    found = batchnorm.batch_statistics(call.x)
    if call.settings.mode is Mode.TEST and call.running is not None:
        found = call.running
    centred, inv = batchnorm.centre(call.x, call.settings.eps, found)
    mean, var = layout.parameter(found.mean), layout.parameter(found.var)
    return {"mean": mean, "var": var, "xhat": layout.inwards(centred * inv)}
