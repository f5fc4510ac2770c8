"""BN401 to BN404, BN409, BN411: what test mode can do instead of normalizing each row by the running statistics."""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen

Pair = tuple[Array, Array]


def statistics_of_the_batch(x: Array) -> Pair:
    mean = x.mean(axis=0)
    return mean, ((x - mean) ** 2).mean(axis=0)


def updated_here_too(x: Array, running_mean: Array, running_var: Array, momentum: float) -> Pair:
    running_mean = momentum * running_mean + (1 - momentum) * x.mean(axis=0)
    running_var = momentum * running_var + (1 - momentum) * x.var(axis=0)
    return running_mean, running_var


def nothing_applied(xhat: Array) -> Array:
    return xhat


def beta_left_out(xhat: Array, gamma: Array) -> Array:
    return gamma * xhat


def eps_outside(var: Array, eps: float) -> Array:
    return 1 / (np.sqrt(var) + eps)


def eps_missing(var: Array) -> Array:
    return 1 / np.sqrt(var)


def eps_of_its_own(var: Array) -> Array:
    return 1 / np.sqrt(var + 1e-3)


def mean_of_the_batch(x: Array, running_var: Array) -> Pair:
    return x.mean(axis=0), running_var


def training_only() -> type:
    class BatchNorm:
        def __init__(self, gamma: Array, beta: Array, eps: float = 1e-5) -> None:
            self.gamma, self.beta, self.eps = gamma, beta, eps

        def forward(self, x: Array) -> Array:
            mean = x.mean(axis=0)
            self.inv = 1 / np.sqrt(((x - mean) ** 2).mean(axis=0) + self.eps)
            self.xhat = (x - mean) * self.inv
            return self.gamma * self.xhat + self.beta

        def backward(self, dout: Array) -> Array:
            self.dgamma = (dout * self.xhat).sum(axis=0)
            self.dbeta = dout.sum(axis=0)
            g = dout * self.gamma
            return self.inv * (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0))

    return BatchNorm


ENTRIES = (
    Entry(
        "BN401",
        "test mode uses the batch's statistics",
        "normalize by running_mean and running_var",
        why="Test mode is to give one answer for one row, whoever its neighbours are: out = gamma * (x - "
        "running_mean) / sqrt(running_var + eps) + beta. By the batch's own mean and variance, a row alone is its own "
        "mean, and out is beta for every x.",
        shows="test mode equals training on the same batch. Accuracy on large shuffled batches looks right, and "
        "breaks down on small or sorted ones.",
        wrong={"fixed": statistics_of_the_batch},
    ),
    Entry(
        "BN402",
        "test mode changes the running statistics",
        "update them in training only",
        why="What is evaluated must not teach: the statistics of the test data go into the layer, so that a second "
        "evaluation gives another result than the first, and the result on one part of the data depends on which part "
        "came before.",
        shows="running_mean and running_var are compared before and after a test pass. One test pass alone gives the "
        "right out.",
        wrong={"keep": updated_here_too},
    ),
    Entry(
        "BN403",
        "test mode leaves out gamma or beta",
        "out = gamma * xhat + beta in test mode too",
        why="gamma and beta belong to the layer, not to training: the layers behind were trained on gamma * xhat + "
        "beta.",
        shows="test mode gives (x - running_mean) / sqrt(running_var + eps), or gamma times that. It cannot be seen "
        "with gamma = 1 and beta = 0, which is how layers are initialized.",
        wrong={"affine_in_test_mode": nothing_applied},
        others=({"affine_in_test_mode": beta_left_out},),
    ),
    Entry(
        "BN404",
        "eps differs between train and test",
        "divide by sqrt(running_var + eps), as in training",
        why="Test mode is to give what training gave, with averaged statistics. With eps outside the root, missing, "
        "or another constant, it does not, even where the running statistics are exactly those of the batch.",
        shows="columns with a variance near eps differ in the first digit; others hide it. Two values of eps tell a "
        "constant from the eps that was asked for.",
        wrong={"inv_in_test_mode": eps_outside},
        others=({"inv_in_test_mode": eps_missing}, {"inv_in_test_mode": eps_of_its_own}),
        seen=(Seen("chainer/chainer PR 2214", "test mode left eps out"),),
    ),
    Entry(
        "BN409",
        "test output is stale, or depends on the rest of the batch",
        "test mode works on each row alone, from the arguments of this call",
        why="In test mode the statistics are constants, so out[i] is a function of x[i] alone. Here the mean is still "
        "the batch's. A stale output comes from what a training pass left behind, an xhat say, in place of this "
        "call's x.",
        shows="row 0 of out changes when only other rows of x do; or out is the same for another x; or the same pass "
        "gives two results.",
        wrong={"fixed": mean_of_the_batch},
    ),
    Entry(
        "BN411",
        "no test mode",
        "normalize by the running statistics when not training",
        why="A network must give an answer for a single row, and from a single row there is no variance to normalize "
        "by. The layer has to keep averages of mean and variance while it trains and to use those afterwards.",
        shows="nothing switches the layer over: no argument, attribute or method for it, and no running statistics. "
        "Gradients and training are right.",
        specimen=training_only,
    ),
)
