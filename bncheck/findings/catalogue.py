"""One entry for each finding: its code, its title, and what to do about it."""

from __future__ import annotations

from bncheck.findings.entry import Entry
from bncheck.findings.known import dx, parameters
from bncheck.vocabulary import Severity

_CONTRACT = (
    Entry("BN001", "the layer raised", "mend the error first: nothing that comes after it could be checked"),
    Entry("BN002", "wrong shape", "out and dx have the shape of x; dgamma and dbeta that of gamma and beta"),
    Entry(
        "BN003",
        "NaN or infinity",
        "look for a division by zero (a variance without eps, N - 1 with N = 1), a root of a negative "
        "number (E[x²] - E[x]²) or an overflow on the way to this entry",
    ),
    Entry(
        "BN004", "writes into an argument", "copy before an in-place operation: whoever called still needs the array"
    ),
    Entry(
        "BN005",
        "differs from run to run",
        "the same arguments must give the same result: look for random numbers or state left over",
    ),
    Entry(
        "BN006", "casts to a narrower dtype", "compute in the dtype of x: make buffers with dtype=x.dtype, not float32"
    ),
    Entry("BN007", "columns leak", "each output column may depend on its own input column only: reduce over axis 0"),
    Entry("BN008", "not implemented", "write this part of the layer"),
)
_FORWARD = (
    Entry("BN301", "unbiased variance", "normalize by the biased variance, divided by N"),
    Entry("BN302", "eps stands outside the root", "divide by sqrt(var + eps), not by sqrt(var) + eps"),
    Entry("BN303", "eps is missing", "divide by sqrt(var + eps)"),
    Entry("BN304", "eps is added twice, or another eps than asked is used", "add the eps that was asked for, once"),
    Entry("BN305", "gamma or beta is not applied", "out = gamma * xhat + beta"),
    Entry(
        "BN306",
        "statistics over the wrong axes",
        "mean and variance of each column, over axis 0 (and over the places of an image)",
    ),
    Entry("BN307", "the root is missing", "divide by the root of the variance: sqrt(var + eps)"),
    Entry(
        "BN308",
        "the forward pass is wrong, and like nothing known",
        "compare with out = gamma * (x - mean) / sqrt(var + eps) + beta",
    ),
)
_RUNNING = (
    Entry("BN401", "test mode uses the batch's statistics", "normalize by running_mean and running_var"),
    Entry("BN402", "test mode changes the running statistics", "update them in training only"),
    Entry("BN403", "test mode leaves out gamma or beta", "out = gamma * xhat + beta in test mode too"),
    Entry("BN404", "eps differs between train and test", "divide by sqrt(running_var + eps), as in training"),
    Entry("BN405", "the running variance includes eps", "average the variance itself; eps is added where it is used"),
    Entry("BN406", "momentum is reversed", "keep the large share: running = 0.9 * running + 0.1 * batch"),
    Entry(
        "BN407",
        "unbiased running variance",
        "PyTorch's convention: the running variance is divided by N - 1 and the normalization by N",
        severity=Severity.NOTE,
    ),
    Entry("BN408", "running statistics are never updated", "update and keep them at each training step"),
    Entry(
        "BN409",
        "test output is stale, or depends on the rest of the batch",
        "test mode works on each row alone, from the arguments of this call",
    ),
    Entry(
        "BN410",
        "the running average is of the standard deviation",
        "average the variance, or use the average as the deviation that it is",
    ),
    Entry("BN411", "no test mode", "normalize by the running statistics when not training"),
    Entry(
        "BN412",
        "running statistics are wrong, and like nothing known",
        "compare with running = momentum * running + (1 - momentum) * batch",
    ),
)
_STABILITY = (
    Entry("BN501", "cancellation, E[x²] - E[x]²", "subtract the mean first, then square"),
    Entry("BN502", "overflow or underflow", "accumulate squares in a wider dtype, or scale before squaring"),
    Entry(
        "BN503",
        "more digits lost than the batch costs anybody",
        "subtract the mean before anything else is done with x",
    ),
)
CATALOGUE = {e.code: e for e in (*_CONTRACT, *dx.ENTRIES, *parameters.ENTRIES, *_FORWARD, *_RUNNING, *_STABILITY)}
