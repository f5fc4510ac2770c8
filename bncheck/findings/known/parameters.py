"""BN201 to BN205: what dgamma and dbeta can be instead of sums over the batch."""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen


def dgamma_not_summed(dout: Array, xhat: Array) -> Array:
    return dout * xhat


def dbeta_not_summed(dout: Array) -> Array:
    return dout


def mean_for_dgamma(dout: Array, xhat: Array) -> Array:
    return (dout * xhat).mean(axis=0)


def mean_for_dbeta(dout: Array) -> Array:
    return dout.mean(axis=0)


def x_for_xhat(dout: Array, x: Array) -> Array:
    return (dout * x).sum(axis=0)


def centred_for_xhat(dout: Array, centred: Array) -> Array:
    return (dout * centred).sum(axis=0)


def dbeta_for_dgamma(dout: Array) -> Array:
    return dout.sum(axis=0)


def dgamma_for_dbeta(dout: Array, xhat: Array) -> Array:
    return (dout * xhat).sum(axis=0)


def dgamma_like_nothing(dout: Array, xhat: Array) -> Array:
    return np.asarray(np.abs(dout * xhat).max(axis=0))


def one_number(n: int, gamma: Array) -> str:
    return f"N = {n} and D = {len(gamma)}: with or without a sum, the numbers are the same" if n == 1 else ""


def single_row(n: int) -> str:
    return "N = 1: a mean is a sum" if n == 1 else ""


def normalized_already(x: Array, xhat: Array) -> str:
    same = np.abs(x - xhat).max() <= 1e-3 * np.abs(xhat).max()
    return "x is normalized already: x, x - mean and xhat are the same" if same else ""


ENTRIES = (
    Entry(
        "BN201",
        "not summed over the batch, or summed to a scalar",
        "a broadcast forward is a sum backward: .sum(axis=0)",
        why="gamma and beta are (D,) and are broadcast over the N rows going forward. A broadcast forward is a sum "
        "backward: dgamma = sum(dout * xhat) and dbeta = sum(dout) over axis 0, one number a column.",
        shows="dgamma or dbeta has the shape of x, or is a single number. What is not summed "
        "cannot be seen where N is 1, and a scalar not where D is 1.",
        unseen=(one_number,),
        wrong={"dgamma": dgamma_not_summed, "dbeta": dbeta_not_summed},
    ),
    Entry(
        "BN202",
        "a mean instead of a sum",
        "sum over the batch; the loss has its own 1/N in dout if it wants one",
        why="dgamma = sum(dout * xhat). If the loss is a mean over the batch, its 1/N is in dout already, and "
        "dividing once more makes the step of an optimizer N times too small.",
        shows="dgamma or dbeta is right but for a factor of 1/N. It cannot be seen where N is 1.",
        unseen=(single_row,),
        wrong={"dgamma": mean_for_dgamma, "dbeta": mean_for_dbeta},
        others=({"dgamma": mean_for_dgamma}, {"dbeta": mean_for_dbeta}),
    ),
    Entry(
        "BN203",
        "x or x - mean stands where xhat belongs",
        "dgamma = sum(dout * xhat), xhat the normalized x",
        why="gamma multiplies xhat = (x - mean) * inv, so its gradient is made of xhat, which the forward pass has to "
        "keep for the backward.",
        shows="dgamma is sum(dout * x) or sum(dout * (x - mean)). It cannot be seen on data that is normalized "
        "already: with mean 0 and variance 1, x, x - mean and xhat are nearly the same.",
        unseen=(normalized_already,),
        wrong={"dgamma": x_for_xhat},
        others=({"dgamma": centred_for_xhat},),
    ),
    Entry(
        "BN204",
        "dgamma and dbeta are swapped",
        "return them in the order of their names",
        why="Both are (D,), so nothing complains when they change places, and training even goes on, badly.",
        shows="each is the other to rounding.",
        wrong={"dgamma": dbeta_for_dgamma, "dbeta": dgamma_for_dbeta},
        others=({"dgamma": dbeta_for_dgamma},),
    ),
    Entry(
        "BN205",
        "dgamma or dbeta is wrong, and like nothing known",
        "compare with dgamma = sum(dout * xhat) and dbeta = sum(dout), the sums over the batch",
        why="Neither the sum nor the mean of anything in this catalogue explains it.",
        shows="the report says by how much it is off.",
        wrong={"dgamma": dgamma_like_nothing},
        known=False,
        seen=(
            Seen("sony/nnabla PR 1120", "dgamma and dbeta were reduced twice"),
            Seen("tensorflow/tensorflow 107705", "dgamma was not linear in dout"),
            Seen("ROCm/rocm-libraries 9030", "remainder rows were read with the wrong stride: about 1% off"),
        ),
    ),
)
