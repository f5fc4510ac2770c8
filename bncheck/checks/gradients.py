"""Are dx, dgamma and dbeta the derivatives of the layer's own forward pass?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bncheck import __version__, memory
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.judgement import judge
from bncheck.differences import STENCILS, Derivative, Stencil, differentiate, evaluations
from bncheck.findings.catalogue import CATALOGUE
from bncheck.layers.protocol import Call, Layer
from bncheck.layers.reference import Reference
from bncheck.passes import describe, require_finite
from bncheck.report import Finding, GradientResult, Report
from bncheck.rounding import allowance, bending_scale
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Mode, Verdict

Progress = Callable[[float, float], object]
"""Told (forward passes made, forward passes expected); may raise in order to stop."""

# A column is ill-conditioned where a rounding of x is this large in units of the bending scale ...
_ILL_CONDITIONED = 1e-12
# ... and extended precision is then worth its price, some eight times float64's, up to so many evaluated entries.
_EXTENDED_LIMIT = 1 << 24
_BYTES_PER_ENTRY = 14 * 8  # x, dout, three gradients twice, and what the allowance needs, in float64


def check_gradients(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    check: CheckSettings | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check every entry of dx, dgamma and dbeta against finite differences of the layer's forward pass.

    ``layer`` None checks the reference.  In test mode the batch must hold running statistics
    (``bncheck.batch.warm_up`` makes them).  Raises BadInput where the batch allows no answer.
    """
    started = time.perf_counter()
    layer, settings, check = layer or Reference(), settings or LayerSettings(), check or CheckSettings()
    memory.require(batch.n, batch.d, _BYTES_PER_ENTRY, "a full check")
    call = Call(batch.x, batch.gamma, batch.beta, batch.running, settings)
    require_finite(call)
    with np.errstate(all="ignore"):
        analytic = layer.forward(call).backward(batch.dout)
        numeric = _Numeric(layer, call, batch, check, progress)
        dx, parameters = numeric.dx(), numeric.parameters()
        allowed = allowance(call, batch.dout, batch.x.dtype)
    values = (dx.value, *parameters.value)
    errors = (dx.error, parameters.error, parameters.error)
    numbers = zip(Gradients._fields, analytic, values, errors, allowed.rounding, strict=True)
    results = tuple(judge(*each, check.rtol, batch.place) for each in numbers)
    return Report(
        verdict=Verdict.worst([result.verdict for result in results]),
        mode=settings.mode.value,
        implementation=layer.name,
        batch=describe(batch),
        settings=_said(settings, check, numeric.dtype, dx),
        gradients=results,
        findings=tuple(_findings(results)),
        forward_passes=round(numeric.passes, 2),
        seconds=time.perf_counter() - started,
        version=__version__,
    )


def _said(settings: LayerSettings, check: CheckSettings, dtype: np.dtype[Any], dx: Derivative) -> dict[str, Any]:
    """What was asked for, and what was made of it."""
    return {
        "eps": settings.eps,
        "momentum": settings.momentum,
        **asdict(check),
        "coverage": "full",
        "precision": str(dtype),
        "step_size": float(dx.step.max()),
        "noise": float(dx.noise.max()),
    }


@dataclass
class _Numeric:
    """The three numerical gradients of L_j = sum_i dout_ij * out_ij, and what they cost."""

    layer: Layer
    call: Call
    batch: Batch
    check: CheckSettings
    progress: Progress | None
    passes: float = 0.0

    def __post_init__(self) -> None:
        self.stencil: Stencil = STENCILS[self.check.method]
        # In test mode the statistics are constants and out is linear in x.
        self.linear = self.call.settings.mode is Mode.TEST
        self.expected = evaluations(self.batch.n, self.stencil, self.linear) + evaluations(2, self.stencil, True)
        scale = bending_scale(self.call).astype(np.float64)
        noise = np.finfo(np.float64).eps * np.max(np.abs(self.call.x).max(axis=0) / scale)
        cost = self.expected * self.batch.x.size
        extended = noise > _ILL_CONDITIONED and cost <= _EXTENDED_LIMIT
        self.dtype = np.dtype(np.longdouble if extended else np.float64)
        self.wide = self.call.astype(self.dtype)
        self.dout = self.batch.dout.astype(self.dtype)

    def dx(self) -> Derivative:
        return self._differentiate(self._of_x, self.wide.x, bending_scale(self.wide), self.linear)

    def parameters(self) -> Derivative:
        """dgamma and dbeta, one row each: out is linear in both together."""
        both = np.stack([self.wide.gamma, self.wide.beta])
        scale = np.maximum(np.abs(both).max(axis=0), 1)
        return self._differentiate(self._of_parameters, both, scale, True)

    def _differentiate(self, f: Callable[[Array, Array], Array], at: Array, scale: Array, linear: bool) -> Derivative:
        return differentiate(
            f,
            at,
            self.dout,
            scale,
            stencil=self.stencil,
            step=self.check.step,
            linear=linear,
            seed=self.batch.seed or 0,
            tick=self._tick,
        )

    def _tick(self, done: float) -> None:
        self.passes += done
        if self.progress is not None:
            self.progress(self.passes, self.expected)

    def _of_x(self, x: Array, columns: Array) -> Array:
        return self._out(x, self.wide.gamma[columns], self.wide.beta[columns], columns)

    def _of_parameters(self, both: Array, columns: Array) -> Array:
        x = self.wide.x.take(columns, axis=1).astype(both.dtype, copy=False)
        return self._out(x, both[0], both[1], columns)

    def _out(self, x: Array, gamma: Array, beta: Array, columns: Array) -> Array:
        running = self.wide.running.take(columns) if self.wide.running else None
        return self.layer.forward(Call(x, gamma, beta, running, self.call.settings)).out


def _findings(results: tuple[GradientResult, ...]) -> list[Finding]:
    found = []
    for result in results:
        if result.verdict is not Verdict.FAIL:
            continue
        finite = np.isfinite(result.worst.analytic)
        code = ("BN110" if result.name == "dx" else "BN205") if finite else "BN003"
        found.append(CATALOGUE[code].found(result.name, result.reason))
    return found
