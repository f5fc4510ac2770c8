"""One entry for each finding: its code, its title, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from bncheck.report import Finding
from bncheck.vocabulary import Severity


class Entry(NamedTuple):
    code: str
    title: str
    hint: str
    severity: Severity = Severity.ERROR

    def found(self, quantity: str, evidence: str) -> Finding:
        return Finding(self.code, self.title, self.severity, quantity, evidence, self.hint)

    def noted(self, quantity: str, evidence: str) -> Finding:
        """The same where it does no harm."""
        return self.found(quantity, evidence)._replace(severity=Severity.NOTE)


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
_DX = (
    Entry(
        "BN101",
        "the path through the variance is missing",
        "dx also needs - inv * xhat * mean(g * xhat), g = dout * gamma",
    ),
    Entry("BN102", "the path through the mean is missing", "dx also needs - inv * mean(g), g = dout * gamma"),
    Entry(
        "BN103",
        "mean and variance are taken as constants",
        "both depend on x: subtract inv * mean(g) and inv * xhat * mean(g * xhat), g = dout * gamma",
    ),
    Entry(
        "BN104",
        "a path has the wrong factor",
        "dx = inv * (g - mean(g) - xhat * mean(g * xhat)): each path once, every mean over N",
    ),
    Entry("BN105", "gamma is left out", "start from g = dout * gamma, the gradient with respect to xhat"),
    Entry(
        "BN106",
        "eps differs from the forward's",
        "use the inv = 1 / sqrt(var + eps) of the forward pass, from the cache",
    ),
    Entry(
        "BN107", "the sign is wrong", "the direct path is + inv * g; the paths through mean and variance are subtracted"
    ),
    Entry(
        "BN108",
        "a common factor is wrong",
        "dx is multiplied by inv = 1 / sqrt(var + eps) once: not by the root, and not twice",
    ),
    Entry("BN109", "wrong in single entries", "look at how these rows or columns are indexed"),
    Entry(
        "BN110",
        "dx is wrong, and like nothing known",
        "compare with dx = inv * (g - mean(g) - xhat * mean(g * xhat)), g = dout * gamma, "
        "inv = 1 / sqrt(var + eps), the means over the batch",
    ),
)
_PARAMETERS = (
    Entry(
        "BN201",
        "not summed over the batch, or summed to a scalar",
        "a broadcast forward is a sum backward: .sum(axis=0)",
    ),
    Entry("BN202", "a mean instead of a sum", "sum over the batch; the loss has its own 1/N in dout if it wants one"),
    Entry("BN203", "x or x - mean stands where xhat belongs", "dgamma = sum(dout * xhat), xhat the normalized x"),
    Entry("BN204", "dgamma and dbeta are swapped", "return them in the order of their names"),
    Entry(
        "BN205",
        "dgamma or dbeta is wrong, and like nothing known",
        "compare with dgamma = sum(dout * xhat) and dbeta = sum(dout), the sums over the batch",
    ),
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
        Severity.NOTE,
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
CATALOGUE = {e.code: e for e in (*_CONTRACT, *_DX, *_PARAMETERS, *_FORWARD, *_RUNNING, *_STABILITY)}
