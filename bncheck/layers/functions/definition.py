"""What the backward pass asks for and the forward pass does not leave: statistics that the caller is to compute."""

from __future__ import annotations

import re
from typing import Any

from bncheck import batchnorm
from bncheck.layers.functions import binding as by
from bncheck.layers.functions.layer import FunctionPass
from bncheck.vocabulary import Mode

_NORMALIZED = set("xhat xnorm xnormalized normx normalizedx xn normalized normalised hatx zhat znorm zn ahat".split())
_VARIANCES = set("var vars variance variances sigma2 sigmasq sigmasquared".split())


def known_as(name: str) -> str:
    """mean, var or xhat; "" for what has more than one meaning, as sigma has."""
    word = re.sub(r"^(batch|sample|mini|bn)+", "", by.plain(name))
    if by.is_kept(name):
        return ""
    if word in _NORMALIZED:
        return "xhat"
    return "var" if word in _VARIANCES else "mean" if by.role_of(word) == "mean" else ""


def of_definition(made: FunctionPass) -> dict[str, Any]:
    """The batch's mean, variance and xhat, in the shapes that the functions take parameters and x in."""
    call, layout = made.call, made.layer.layout
    found = batchnorm.batch_statistics(call.x)
    if call.settings.mode is Mode.TEST and call.running is not None:
        found = call.running
    centred, inv = batchnorm.centre(call.x, call.settings.eps, found)
    mean, var = layout.parameter(found.mean), layout.parameter(found.var)
    return {"mean": mean, "var": var, "xhat": layout.inwards(centred * inv)}
