"""BN405 to BN408, BN410, BN412: what running statistics can be instead of averages of the batch's own."""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen
from bncheck.vocabulary import Severity

Pair = tuple[Array, Array]


def eps_in_the_average(
    running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, eps: float
) -> Pair:
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = momentum * running_var + (1 - momentum) * (var + eps)
    return running_mean, running_var


def shares_exchanged(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float) -> Pair:
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_var = (1 - momentum) * running_var + momentum * var
    return running_mean, running_var


def unbiased(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, n: int) -> Pair:
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = momentum * running_var + (1 - momentum) * var * n / (n - 1)
    return running_mean, running_var


def computed_and_dropped(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float) -> Pair:
    new_mean = momentum * running_mean + (1 - momentum) * mean  # noqa: F841
    new_var = momentum * running_var + (1 - momentum) * var  # noqa: F841
    return running_mean, running_var


def deviation_averaged(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float) -> Pair:
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = momentum * running_var + (1 - momentum) * np.sqrt(var)
    return running_mean, running_var


def inverse_averaged(running_mean: Array, running_var: Array, mean: Array, inv: Array, momentum: float) -> Pair:
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = momentum * running_var + (1 - momentum) * inv
    return running_mean, running_var


def share_forgotten(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float) -> Pair:
    running_mean = momentum * running_mean + mean
    running_var = momentum * running_var + var
    return running_mean, running_var


def product(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float) -> Pair:
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = running_var**momentum * var ** (1 - momentum)
    return running_mean, running_var


ENTRIES = (
    Entry(
        "BN405",
        "the running variance includes eps",
        "average the variance itself; eps is added where it is used",
        why="var + eps is what the root is taken of, not what the batch has. A running variance that averages var + "
        "eps gets eps once more in test mode, sqrt(running_var + eps): the layer divides by sqrt(var + 2 eps) there.",
        shows="running_var is too large by eps in every column. With a variance of 1 that is 1e-5, and nothing shows; "
        "with a variance near eps, test mode is off by a fifth.",
        wrong={"update": eps_in_the_average},
    ),
    Entry(
        "BN406",
        "momentum is reversed",
        "keep the large share: running = 0.9 * running + 0.1 * batch",
        why="running = momentum * running + (1 - momentum) * batch keeps 0.9 of what was. With the weights exchanged "
        "it keeps 0.1, and the statistics of test mode are nearly those of the last batch alone. PyTorch's momentum "
        "is the share taken, 0.1: there running = (1 - momentum) * running + momentum * batch is right.",
        shows="one training step tells the two shares. It cannot be seen with momentum = 0.5, nor after many steps on "
        "one batch, to which both converge.",
        wrong={"update": shares_exchanged},
        seen=(Seen("PaddlePaddle/Paddle PR 51120", "the weights of old and new were exchanged"),),
    ),
    Entry(
        "BN407",
        "unbiased running variance",
        "PyTorch's convention: the running variance is divided by N - 1 and the normalization by N",
        severity=Severity.NOTE,
        why="PyTorch averages var * N / (N - 1), an estimate of the population's variance, and normalizes training by "
        "the biased one; Keras and CS231n average the variance that they normalize by. Either is a convention. "
        "Weights that move from one to the other bring a running_var that is off by N / (N - 1).",
        shows="running_var is too large by N / (N - 1): 14% at N = 8, 0.8% at N = 128.",
        wrong={"update": unbiased},
        seen=(
            Seen("tenstorrent/tt-metal 55438", "the running variance was of the other kind than expected"),
            Seen("tensorflow/tensorflow 55545", "the running variance was of the other kind than expected"),
            Seen("tinygrad/tinygrad PR 807", "the running variance was of the other kind than expected"),
        ),
    ),
    Entry(
        "BN408",
        "running statistics are never updated",
        "update and keep them at each training step",
        why="running_mean and running_var stay at what they were, mostly 0 and 1, so that test mode normalizes by "
        "nothing. Often the update is there and its result is dropped: assigned to a local name, to a copy, or to a "
        "dict that nobody keeps.",
        shows="two training steps leave them as they were. Gradients and training losses are right; only test mode is "
        "wrong, and it cannot be seen there on data of mean 0 and variance 1.",
        wrong={"update": computed_and_dropped},
        seen=(Seen("paiml/aprender PR 2166", "training never updated the running statistics"),),
    ),
    Entry(
        "BN410",
        "the running average is of the standard deviation",
        "average the variance, or use the average as the deviation that it is",
        why="The mean of roots is not the root of the mean: averaging sqrt(var) over batches gives less than the root "
        "of the averaged variance. Under the name of running_var it is moreover taken for a variance: "
        "sqrt(running_var + eps) is then the fourth root of one.",
        shows="new = a old + b sqrt(var) explains running_var to rounding. It cannot be seen where every variance is "
        "1.",
        wrong={"update": deviation_averaged},
        others=({"update": inverse_averaged},),
        seen=(Seen("torch/nn 567", "the average was of 1 / std"),),
    ),
    Entry(
        "BN412",
        "running statistics are wrong, and like nothing known",
        "compare with running = momentum * running + (1 - momentum) * batch",
        why="A running average has two shares that add up to 1: what is kept and what is taken. With shares that add "
        "up to more, as here, it grows to ten times the batch's statistic.",
        shows="no a and b with a + b = 1 explain new = a old + b batch; or after many training steps on one batch "
        "test mode does not give what training gives.",
        wrong={"update": share_forgotten},
        others=({"update": product},),
        known=False,
        seen=(Seen("pytorch/pytorch 22192", "the running variance was made with the count of one worker alone"),),
    ),
)
