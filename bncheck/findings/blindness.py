"""Why a batch cannot show a mistake, in words.  What is said is looked up in the numbers, never assumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.textbook import Quantities, made

Reason = Callable[..., str]
"""A function of the quantities that it names in its parameters; empty where it does not hold."""

_NEARLY = 1e-6


def single_row(n: int) -> str:
    return "N = 1: the row is its own mean, so xhat is 0 and dx is zero for any backward" if n == 1 else ""


def single_row_in_dgamma(n: int) -> str:
    return "N = 1: the row is its own mean, so xhat is 0 and dgamma with it" if n == 1 else ""


def constant_dout_in_dgamma(dout: Array) -> str:
    return "dout is constant in every column, and xhat sums to 0" if constant_dout(dout) else ""


def two_rows(n: int) -> str:
    return "N = 2: |xhat| is 1 in every entry, so dx is zero for any backward" if n == 2 else ""


def constant_dout(dout: Array) -> str:
    if np.any(np.ptp(dout, axis=0) > _NEARLY * np.abs(dout).max(axis=0)):
        return ""
    return "dout is constant in every column: the paths through mean and variance take it all away"


def dout_like_out(dout: Array, xhat: Array) -> str:
    """dout = a + b * xhat, column by column: what is left of it after a fit on both."""
    rest = dout - dout.mean(axis=0)
    size = np.einsum("nd,nd->d", xhat, xhat)
    slope = np.einsum("nd,nd->d", rest, xhat) / np.where(size > 0, size, 1)
    if np.any(np.abs(rest - slope * xhat) > _NEARLY * np.abs(dout).max(axis=0)):
        return ""
    return "dout is a combination of 1 and xhat: the paths through mean and variance take it all away"


def no_gamma(gamma: Array) -> str:
    return "" if gamma.any() else "gamma is 0 everywhere: nothing of x reaches out"


def no_dout(dout: Array) -> str:
    return "" if dout.any() else "dout is 0 everywhere"


def constant_columns(centred: Array) -> str:
    return "" if centred.any() else "every column is constant: xhat is 0 in every entry"


_ZERO: dict[tuple[str, bool], tuple[Reason, ...]] = {
    ("dx", True): (no_dout, no_gamma, single_row, two_rows, constant_dout, constant_columns, dout_like_out),
    ("dx", False): (no_dout, no_gamma),
    ("dgamma", True): (no_dout, single_row_in_dgamma, constant_dout_in_dgamma, constant_columns),
    ("dgamma", False): (no_dout, constant_columns),
    ("dbeta", True): (no_dout,),
    ("dbeta", False): (no_dout,),
}


def of_zero(name: str, train: bool, known: Quantities) -> str:
    """Why a gradient vanishes on this batch; empty where no reason is known."""
    return next(said(_ZERO[name, train], known), "")


def said(reasons: tuple[Reason, ...], known: Quantities) -> Iterator[str]:
    return (words for reason in reasons if (words := made(reason, known)))
