"""BN101 to BN110: what dx can be instead of the sum of its three paths."""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen


def variance_path_lost(g: Array, inv: Array) -> Array:
    return inv * (g - g.mean(axis=0))


def mean_path_lost(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - xhat * (g * xhat).mean(axis=0))


def statistics_as_constants(g: Array, inv: Array) -> Array:
    return inv * g


def divided_by_one_less(g: Array, xhat: Array, inv: Array, n: int) -> Array:
    return inv * (g - g.mean(axis=0) - xhat * (g * xhat).sum(axis=0) / max(n - 1, 1))


def half_the_variance_path(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0) / 2)


def sums_for_means(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - g.sum(axis=0) - xhat * (g * xhat).sum(axis=0))


def training_formula(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))


def gamma_left_out(dout: Array, xhat: Array, inv: Array) -> Array:
    return inv * (dout - dout.mean(axis=0) - xhat * (dout * xhat).mean(axis=0))


def gamma_left_out_in_test_mode(dout: Array, inv: Array) -> Array:
    return inv * dout


def eps_forgotten(g: Array, centred: Array, var: Array) -> Array:
    inv = 1 / np.sqrt(var)
    xhat = centred * inv
    return inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))


def eps_forgotten_in_test_mode(g: Array, var: Array) -> Array:
    return g / np.sqrt(var)


def statistics_added(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g + g.mean(axis=0) + xhat * (g * xhat).mean(axis=0))


def all_negative(g: Array, xhat: Array, inv: Array) -> Array:
    return -inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))


def negative_in_test_mode(g: Array, inv: Array) -> Array:
    return -inv * g


def variance_for_its_root(g: Array, xhat: Array, inv: Array) -> Array:
    return inv**2 * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))


def variance_for_its_root_in_test_mode(g: Array, inv: Array) -> Array:
    return inv**2 * g


def last_row_forgotten(g: Array, xhat: Array, inv: Array) -> Array:
    dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    dx[-1] = 0
    return dx


def last_row_forgotten_in_test_mode(g: Array, inv: Array) -> Array:
    dx = inv * g
    dx[-1] = 0
    return dx


def like_nothing(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * np.sin(3 * g) * np.cos(xhat)


def nothing_through_variance(g: Array, xhat: Array) -> str:
    if np.any(np.abs((g * xhat).mean(axis=0)) > 1e-9 * np.abs(g).max(axis=0)):
        return ""
    return "dout * gamma does not go along with xhat: the path through the variance carries nothing"


def nothing_through_mean(g: Array) -> str:
    if np.any(np.abs(g.mean(axis=0)) > 1e-9 * np.abs(g).max(axis=0)):
        return ""
    return "dout * gamma has mean 0 in every column: the path through the mean carries nothing"


def many_rows(n: int) -> str:
    return f"N = {n}: a factor of N/(N-1) differs from 1 by {1 / n:.1g}, less than is allowed" if n > 1 else ""


def gamma_is_one(gamma: Array) -> str:
    return "gamma is 1 everywhere: a backward that forgets gamma gives the same dx" if np.all(gamma == 1) else ""


def large_variances(var: Array, eps: float) -> str:
    least = var[var > 0].min() if np.any(var > 0) else 0
    if least < 100 * eps:
        return ""
    return f"every variance is {least:.2g} or more: eps = {eps:g} cannot be seen"


def no_eps(eps: float) -> str:
    return "eps is 0: there is none to be forgotten" if eps == 0 else ""


def unit_variance(inv: Array) -> str:
    return "" if np.any(np.abs(inv - 1) > 1e-3) else "every variance is 1: so is any power of it"


ENTRIES = (
    Entry(
        "BN101",
        "the path through the variance is missing",
        "dx also needs - inv * xhat * mean(g * xhat), g = dout * gamma",
        why="x reaches out by three paths: directly, through the mean and through the variance. The variance is a "
        "function of every row, so moving one row moves inv, and with it every xhat of the column: "
        "d xhat_k / d x_i = -inv * xhat_k * xhat_i / N, which adds -inv * xhat * mean(g * xhat) to dx.",
        shows="dx fits 1 direct + 1 mean + 0 variance. It cannot be seen where mean(g * xhat) is 0, as with a constant "
        "dout; a loss that sums the output has one. A complex step through np.var returns exactly this "
        "gradient, and so certifies the mistake.",
        unseen=(nothing_through_variance,),
        wrong={"dx": variance_path_lost},
    ),
    Entry(
        "BN102",
        "the path through the mean is missing",
        "dx also needs - inv * mean(g), g = dout * gamma",
        why="The mean is a sum over the rows, and a sum going forward is a broadcast of ones going back: moving "
        "one row by h moves the mean by h / N and every row of xhat by -inv * h / N, which adds -inv * mean(g) to dx. "
        "The mean inside the variance contributes nothing, for sum(x - mean) = 0: leaving that term out, or adding "
        "it, is no mistake.",
        shows="dx fits 1 direct + 0 mean + 1 variance, and its columns do not sum to 0. It cannot be seen where "
        "dout * gamma has mean 0 in every column.",
        unseen=(nothing_through_mean,),
        wrong={"dx": mean_path_lost},
    ),
    Entry(
        "BN103",
        "mean and variance are taken as constants",
        "both depend on x: subtract inv * mean(g) and inv * xhat * mean(g * xhat), g = dout * gamma",
        why="In training the statistics are computed from x, so x reaches out through them too. dx = inv * g is "
        "the gradient of test mode, where the statistics are given. Detaching them (stop_gradient, .detach(), "
        ".data, no_grad) before they normalize makes the same mistake under automatic differentiation.",
        shows="dx fits 1 direct + 0 mean + 0 variance.",
        wrong={"dx": statistics_as_constants},
        seen=(Seen("keras-team/keras PR 19102", "mean and variance were detached from the graph"),),
    ),
    Entry(
        "BN104",
        "a path has the wrong factor",
        "dx = inv * (g - mean(g) - xhat * mean(g * xhat)): each path once, every mean over N",
        why="Each of the three paths enters once. d var / d x_i = 2 (x_i - mean) / N, and d inv / d var = -inv³ / 2: "
        "the 2 and the 1/2 cancel, and forgetting one of them halves or doubles the path through the variance. "
        "Dividing by N - 1 belongs to an unbiased variance, and only if the forward pass uses one. In test mode "
        "the statistics are constants, and neither path exists.",
        shows="dx fits 1 direct, 1 mean and another factor, N/(N-1) say, of variance. For large N the factor N/(N-1) "
        "drowns in rounding.",
        unseen=(nothing_through_variance, many_rows),
        wrong={"dx": divided_by_one_less},
        others=({"dx": half_the_variance_path}, {"dx": sums_for_means}, {"dx_in_test_mode": training_formula}),
        seen=(
            Seen("pytorch/pytorch PR 36382", "means over unequal shards were weighted as if equal"),
            Seen("pytorch/pytorch 586", "the training formula in the backward of test mode"),
            Seen("pytorch/xla 913", "the training formula in the backward of test mode"),
            Seen("FluxML/Flux.jl 2179", "the training formula in the backward of test mode"),
            Seen("apache/mxnet 18209", "the training formula in the backward of test mode"),
            Seen("tensorflow/tensorflow 10857", "the training formula in the backward of test mode"),
        ),
    ),
    Entry(
        "BN105",
        "gamma is left out",
        "start from g = dout * gamma, the gradient with respect to xhat",
        why="out = gamma * xhat + beta, so the gradient that arrives at xhat is g = dout * gamma. All three paths "
        "start from g, not from dout.",
        shows="every path has the factor 1 / gamma, column by column. It cannot be seen where gamma is 1, which is how "
        "layers are initialized.",
        unseen=(gamma_is_one,),
        wrong={"dx": gamma_left_out},
        others=({"dx_in_test_mode": gamma_left_out_in_test_mode},),
        seen=(
            Seen("denizyuret/Knet.jl 288", "gamma was left out of dx"),
            Seen("ROCm/MIOpen 104", "gamma was left out of one term of dx"),
        ),
    ),
    Entry(
        "BN106",
        "eps differs from the forward's",
        "use the inv = 1 / sqrt(var + eps) of the forward pass, from the cache",
        why="The derivative of 1 / sqrt(var + eps) contains the same eps as the forward pass. A backward pass that "
        "computes its own sqrt(var), adds eps outside the root, or has a constant of its own is the derivative of "
        "another layer.",
        shows="dx is right with another root in place of sqrt(var + eps). It shows only in columns with a variance "
        "near eps: at a variance of 1 and eps = 1e-5 the two differ by 5e-6.",
        unseen=(no_eps, large_variances),
        wrong={"dx": eps_forgotten},
        others=({"dx_in_test_mode": eps_forgotten_in_test_mode},),
        seen=(
            Seen("pjreddie/darknet 170", "eps outside the root, and another eps elsewhere"),
            Seen("AlexeyAB/darknet PR 5447", "eps outside the root, and another eps elsewhere"),
        ),
    ),
    Entry(
        "BN107",
        "the sign is wrong",
        "the direct path is + inv * g; the paths through mean and variance are subtracted",
        why="Raising one x raises the mean, which lowers every xhat, and a larger spread shrinks every xhat "
        "towards 0: the two paths through the statistics are subtracted from the direct one.",
        shows="a coefficient of the fit is negative.",
        wrong={"dx": statistics_added},
        others=({"dx": all_negative}, {"dx_in_test_mode": negative_in_test_mode}),
    ),
    Entry(
        "BN108",
        "a common factor is wrong",
        "dx is multiplied by inv = 1 / sqrt(var + eps) once: not by the root, and not twice",
        why="xhat = (x - mean) * inv, so every path carries inv once. Dividing by the variance, multiplying by the "
        "root where its inverse belongs, or taking the root of what has been inverted already, changes dx by a "
        "factor that depends on the column's variance.",
        shows="all three paths have the same factor in a column, and it changes from column to column. It cannot be "
        "seen where every variance is 1.",
        unseen=(unit_variance,),
        wrong={"dx": variance_for_its_root},
        others=({"dx_in_test_mode": variance_for_its_root_in_test_mode},),
        seen=(
            Seen(
                "flagos-ai/FlagGems 5222",
                "rsqrt was applied to the saved inverse root; the test's own reference shared the mistake",
            ),
        ),
    ),
    Entry(
        "BN109",
        "wrong in single entries",
        "look at how these rows or columns are indexed",
        why="The formula is right and some entries are not: a loop that ends one row early, a remainder that is "
        "read with the wrong stride, a mask.",
        shows="most entries agree to rounding, and the report names those that do not. A check along one random "
        "direction, as fast modes make it, can miss a single entry.",
        wrong={"dx": last_row_forgotten},
        others=({"dx_in_test_mode": last_row_forgotten_in_test_mode},),
        seen=(Seen("ROCm/rocm-libraries 9030", "remainder rows were read with the wrong stride"),),
    ),
    Entry(
        "BN110",
        "dx is wrong, and like nothing known",
        "compare with dx = inv * (g - mean(g) - xhat * mean(g * xhat)), g = dout * gamma, "
        "inv = 1 / sqrt(var + eps), the means over the batch",
        why="The three paths do not explain dx, and neither does any mistake in this catalogue.",
        shows="least squares on the three paths leave a residual; the report says how large.",
        wrong={"dx": like_nothing},
        known=False,
    ),
)
