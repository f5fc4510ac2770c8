"""A second witness: the closed form in extended precision, where the forward pass is the definition.

Finite differences differentiate whatever the layer computes, so they are right for a forward pass that is not
the definition, and they depend on how it rounds.  The closed form is exact to eleven more bits than float64 has, and
holds for the definition alone.  Where the layer's output is that of the definition, to rounding, both must
say the same within their bars.  If they do not, one of them has failed, and neither accuses anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array, DTypeLike
from bncheck.batchnorm import Gradients, Statistics
from bncheck.layers.protocol import Call
from bncheck.rounding import forward_allowance
from bncheck.vocabulary import Mode

if TYPE_CHECKING:
    from bncheck.findings.own import Own


def defined(call: Call, out: Array, dtype: DTypeLike = np.longdouble) -> Array:
    """(D,), whether ``out``, the layer's own from ``call`` in the precision of ``call``, is that of the definition.

    ``dtype`` is that of the closed form.
    """
    wide, fixed = _wide(call, dtype)
    truth = batchnorm.forward(wide.x, wide.gamma, wide.beta, call.settings.eps, fixed)
    off = np.subtract(out, truth, out=truth if truth.dtype == np.result_type(out, truth) else None)
    if not off.any():
        return np.ones(off.shape[1], bool)
    return np.asarray(np.all(np.abs(off, out=off) <= forward_allowance(call, call.x.dtype), axis=0))


def own(call: Call, out: Array, agrees: Array) -> Own | None:
    """What the forward pass computes instead of the definition; None where that is nothing known, or no other.

    ``agrees`` is what ``defined`` says of ``out``.
    """
    if agrees.all():
        return None
    # Loaded for layers that need it, and for no others.
    from bncheck.findings.normalization import read
    from bncheck.findings.own import Own

    # In the precision of out, at the least: a narrower one would differ by its own rounding.
    wide = np.promote_types(out.dtype, np.float64)
    observed = [(call.astype(wide), out.astype(wide), forward_allowance(call, out.dtype))]
    reading = read(observed, call.settings.mode is Mode.TEST)
    return reading and Own.of(call.astype(np.float64), reading)


def closed_form(call: Call, dout: Array, dtype: DTypeLike = np.longdouble) -> Gradients:
    """The gradients of the definition, computed in ``dtype``."""
    wide, fixed = _wide(call, dtype)
    return batchnorm.backward(dout.astype(dtype, copy=False), wide.x, wide.gamma, call.settings.eps, fixed)


def disagreements(
    agrees: Array, numeric: Gradients, bars: Gradients, truth: Gradients, rounding: Gradients
) -> Gradients:
    """Boolean arrays in the shapes of the gradients, or of what is looked at of them; ``bars`` are (D,) each.

    ``agrees``, of ``defined``, is (D,) too; ``truth`` is the closed form, and ``rounding`` what may be off of it in
    the precision that ``numeric`` was computed in.
    """
    return Gradients(
        *(
            agrees & np.isfinite(n) & (np.abs(n - t) > bar + r)
            for n, t, bar, r in zip(numeric, truth, bars, rounding, strict=True)
        )
    )


def _wide(call: Call, dtype: DTypeLike) -> tuple[Call, Statistics | None]:
    wide = call.astype(dtype)
    return wide, wide.running if call.settings.mode is Mode.TEST else None
