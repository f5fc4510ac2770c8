"""BN501 to BN503: what is right on paper and loses its digits in floating point."""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen

Pair = tuple[Array, Array]


def difference_of_squares(x: Array) -> Pair:
    mean = x.mean(axis=0)
    return mean, (x**2).mean(axis=0) - mean**2


def squares_minus_square(x: Array, n: int) -> Pair:
    total = x.sum(axis=0)
    return total / n, ((x**2).sum(axis=0) - total**2 / n) / n


def as_stored(x: Array) -> Array:
    return x


def statistics_in_single(x: Array) -> Pair:
    single = x.astype(np.float32)
    mean = single.mean(axis=0)
    return mean, ((single - mean) ** 2).mean(axis=0)


def mean_in_single(x: Array) -> Pair:
    mean = x.mean(axis=0, dtype=np.float32)
    return mean, ((x - mean) ** 2).mean(axis=0)


ENTRIES = (
    Entry(
        "BN501",
        "cancellation, E[x²] - E[x]²",
        "subtract the mean first, then square",
        why="var = mean(x²) - mean(x)² is right on paper. In floating point both terms are about mean², each with an "
        "error of u mean², and the difference keeps that error: var loses 2 log10(|mean| / std) digits, all sixteen "
        "of float64 at a mean of 1e8 times the spread, and can come out negative, so that its root is NaN. mean((x - "
        "mean)²) squares small numbers.",
        shows="the error of out grows with the square of |mean| / std, where rounding x costs everybody its first "
        "power. It cannot be seen on data of mean 0.",
        wrong={"statistics": difference_of_squares},
        others=({"statistics": squares_minus_square},),
        seen=(
            Seen("tensorflow/tensorflow 118701", "the difference came out below zero, and NaN of it"),
            Seen("google/flax 1491", "the difference came out below zero, and NaN of it"),
            Seen("tenstorrent/tt-metal 45968", "the difference came out below zero, and NaN of it"),
        ),
    ),
    Entry(
        "BN502",
        "overflow or underflow",
        "accumulate squares in a wider dtype, or scale before squaring",
        why="float16 ends at 65504, so (x - mean)² overflows where x is 256 away from its mean, and nothing is left "
        "of it below 1e-4. An infinite variance makes inv = 0 and out = beta; a variance of 0 makes inv = 1 / "
        "sqrt(eps), and eps = 1e-8 is itself 0 in float16. Half precision is a format to store in: compute in "
        "float32, round at the end.",
        shows="on float16 batches of large or small spread out is not finite, or has no digit of xhat left. It cannot "
        "be seen in float32 or float64, nor on data of spread 1.",
        wrong={"wide": as_stored},
        dtype="float16",
        seen=(
            Seen("tensorflow/tensorflow PR 30230", "a factor or a sum overflowed in float16"),
            Seen("pytorch/pytorch PR 126525", "a factor or a sum overflowed in float16"),
        ),
    ),
    Entry(
        "BN503",
        "more digits lost than the batch costs anybody",
        "keep mean and variance in the dtype of x, and subtract the mean before anything else is done with x",
        why="Rounding x costs out u max|x| / std, and no layer can do better. This one loses more: a float32 "
        "accumulator or statistic under a float64 batch, x rescaled before the mean is subtracted, an iteration that "
        "stops early. out is float64 all the same, with digits that are not there.",
        shows="out agrees with the definition in float32's seven digits and no more, or its error grows with the mean "
        "of x beyond the bound, other than E[x²] - E[x]² would make it. It cannot be seen on a float32 batch.",
        wrong={"statistics": mean_in_single},
        others=({"statistics": statistics_in_single},),
    ),
)
