"""BN301 to BN308: what training can compute instead of gamma * (x - mean) / sqrt(var + eps) + beta.

Each comes with the right derivative of the wrong function, dx_of_...: no check of gradients can tell them.
"""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen


def unbiased(x: Array) -> tuple[Array, Array]:
    return x.mean(axis=0), x.var(axis=0, ddof=1)


def dx_of_unbiased(g: Array, xhat: Array, inv: Array, n: int) -> Array:
    return inv * (g - g.mean(axis=0) - xhat * (g * xhat).sum(axis=0) / (n - 1))


def eps_outside(var: Array, eps: float) -> Array:
    return 1 / (np.sqrt(var) + eps)


def dx_of_eps_outside(g: Array, centred: Array, var: Array, inv: Array) -> Array:
    std = np.sqrt(var)
    return inv * (g - g.mean(axis=0) - centred / std * (g * centred).mean(axis=0) * inv)


def eps_missing(var: Array) -> Array:
    return 1 / np.sqrt(var)


def eps_twice(var: Array, eps: float) -> Array:
    var = var + eps
    return 1 / np.sqrt(var + eps)


def eps_of_its_own(var: Array) -> Array:
    return 1 / np.sqrt(var + 1e-8)


def beta_left_out(xhat: Array, gamma: Array) -> Array:
    return gamma * xhat


def gamma_left_out(xhat: Array, beta: Array) -> Array:
    return xhat + beta


def nothing_applied(xhat: Array) -> Array:
    return xhat


def dx_without_gamma(dout: Array, xhat: Array, inv: Array) -> Array:
    return inv * (dout - dout.mean(axis=0) - xhat * (dout * xhat).mean(axis=0))


def over_all_entries(x: Array) -> tuple[Array, Array]:
    return x.mean(), x.var()


def dx_over_all_entries(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - g.mean() - xhat * (g * xhat).mean())


def root_missing(var: Array, eps: float) -> Array:
    return 1 / (var + eps)


def dx_of_root_missing(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - g.mean(axis=0)) - 2 * xhat * (g * xhat).mean(axis=0)


def square_for_root(var: Array, eps: float) -> Array:
    return 1 / (var + eps) ** 2


def dx_of_square(g: Array, centred: Array, var: Array, eps: float, inv: Array) -> Array:
    return inv * (g - g.mean(axis=0)) - 4 * inv / (var + eps) * centred * (g * centred).mean(axis=0)


def by_mean_deviation(centred: Array, eps: float) -> Array:
    return 1 / (np.abs(centred).mean(axis=0) + eps)


def dx_by_mean_deviation(g: Array, centred: Array, xhat: Array, inv: Array) -> Array:
    sign = np.sign(centred)
    return inv * (g - g.mean(axis=0) - (sign - sign.mean(axis=0)) * (g * xhat).mean(axis=0))


ENTRIES = (
    Entry(
        "BN301",
        "unbiased variance",
        "normalize by the biased variance, divided by N",
        why="Training normalizes by var = sum((x - mean)²) / N, so that xhat has a mean square of 1. Dividing by N - "
        "1 estimates the variance of the population, which is a matter for the running statistics, and has no value "
        "at N = 1. np.var divides by N and torch.var by N - 1, unless told otherwise.",
        shows="out - beta is too small by sqrt((N - 1) / N) in every column: 6% at N = 8, 0.4% at N = 128. The "
        "backward may be the right derivative of this forward, and no check of gradients tells the two apart.",
        wrong={"statistics": unbiased},
        along={"dx": dx_of_unbiased},
    ),
    Entry(
        "BN302",
        "eps stands outside the root",
        "divide by sqrt(var + eps), not by sqrt(var) + eps",
        why="sqrt(var) + eps and sqrt(var + eps) both keep the division from failing, and differ where it matters: at "
        "var = 0 the first divides by eps = 1e-5, the second by sqrt(eps) = 3e-3. And the root of 0 has no "
        "derivative, so that a constant column gives NaN in the backward pass of automatic differentiation.",
        shows="with a variance near eps out differs in the first digit; with a variance of 1 by 5e-6, which hides "
        "below every tolerance in use.",
        wrong={"inv": eps_outside},
        along={"inv_in_test_mode": eps_outside, "dx": dx_of_eps_outside},
        seen=(
            Seen("pjreddie/darknet 170", "eps outside the root, and another eps elsewhere"),
            Seen("AlexeyAB/darknet PR 5447", "eps outside the root, and another eps elsewhere"),
        ),
    ),
    Entry(
        "BN303",
        "eps is missing",
        "divide by sqrt(var + eps)",
        why="A column that is constant in one batch has var = 0, and (x - mean) / sqrt(var) is 0 / 0. With nearly "
        "constant columns, inv = 1 / sqrt(var) blows rounding errors up to the size of the signal: eps bounds inv by "
        "1 / sqrt(eps).",
        shows="columns with a variance near eps come out too large: by sqrt(2) at var = eps. With a variance of 1 the "
        "difference is 5e-6.",
        wrong={"inv": eps_missing},
        along={"inv_in_test_mode": eps_missing},
    ),
    Entry(
        "BN304",
        "eps is added twice, or another eps than asked is used",
        "add the eps that was asked for, once",
        why="eps is part of the definition: sqrt(var + eps), with the eps of the call. It is added twice where var "
        "was stored with eps in it and the root adds it again; it is another where a constant in the code stands in "
        "front of the argument.",
        shows="two values of eps are asked for, and columns with a variance near them tell which was used. With one "
        "eps alone, a constant that happens to be the same cannot be seen.",
        wrong={"inv": eps_twice},
        along={"inv_in_test_mode": eps_twice},
        others=({"inv": eps_of_its_own, "inv_in_test_mode": eps_of_its_own},),
    ),
    Entry(
        "BN305",
        "gamma or beta is not applied",
        "out = gamma * xhat + beta",
        why="Without gamma and beta every column leaves the layer with mean 0 and variance 1, whatever the network "
        "would need. They are what lets the layer undo the normalization: gamma = std, beta = mean is the identity.",
        shows="out has mean 0 in every column where beta is left out, and a spread of 1 where gamma is. It cannot be "
        "seen with gamma = 1 and beta = 0, which is how layers are initialized.",
        wrong={"affine": beta_left_out},
        along={"affine_in_test_mode": beta_left_out},
        others=(
            {"affine": gamma_left_out, "affine_in_test_mode": gamma_left_out, "dx": dx_without_gamma},
            {"affine": nothing_applied, "affine_in_test_mode": nothing_applied, "dx": dx_without_gamma},
        ),
    ),
    Entry(
        "BN306",
        "statistics over the wrong axes",
        "mean and variance of each column, over axis 0 (and over the places of an image)",
        why="Each column has statistics of its own: (N, D) is reduced over axis 0, and (N, C, H, W) over N, H and W. "
        "One mean for all entries mixes features of different units; one for each row, over axis 1, is layer "
        "normalization; over N alone, an image gets statistics for each place.",
        shows="columns do not have mean 0 and variance 1 before gamma and beta. It cannot be seen where all columns "
        "have the same mean and spread.",
        wrong={"statistics": over_all_entries},
        along={"dx": dx_over_all_entries},
        seen=(Seen("pytorch/pytorch 64039 (PR 64100)", "the input was read in the memory layout of the gradient"),),
    ),
    Entry(
        "BN307",
        "the root is missing",
        "divide by the root of the variance: sqrt(var + eps)",
        why="The spread of a column is the root of its variance. Divided by var + eps, xhat has a spread of 1 / std "
        "instead of 1, and scaling x by 10 scales out by 1/10 where it should not change at all.",
        shows="out - beta is off by the factor 1 / std, column by column. It cannot be seen where every variance is 1.",
        wrong={"inv": root_missing},
        along={"inv_in_test_mode": root_missing, "dx": dx_of_root_missing},
        others=({"inv": square_for_root, "inv_in_test_mode": square_for_root, "dx": dx_of_square},),
        seen=(Seen("jax-ml/jax 442", "(var + eps)**2 stood where the root belongs"),),
    ),
    Entry(
        "BN308",
        "the forward pass is wrong, and like nothing known",
        "compare with out = gamma * (x - mean) / sqrt(var + eps) + beta",
        why="No combination of axes, variance, root, eps, gamma and beta in this catalogue gives what the layer "
        "returned. Here the mean absolute deviation stands where the root of the variance belongs.",
        shows="the report says how far out is from the definition.",
        wrong={"inv": by_mean_deviation},
        along={"dx": dx_by_mean_deviation},
        known=False,
    ),
)
