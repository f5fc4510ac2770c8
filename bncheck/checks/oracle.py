"""A second witness: the closed form, where the forward pass is the definition.

Finite differences differentiate whatever the layer computes, so they are right for a forward pass that is not
the definition, and they depend on how it rounds.  The closed form has no step, and
holds for the definition alone.  Where the layer's output is that of the definition, to rounding, both must
say the same within their bars.  If they do not, one of them has failed, and neither accuses anybody.

Both are computed in the precision that the differences are worked in: extended where the batch calls for it, and
float64 elsewhere, whose rounding is far below any bar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.layers.protocol import Call
from bncheck.rounding import forward_allowance
from bncheck.vocabulary import Mode

if TYPE_CHECKING:
    from bncheck.findings.own import Own


def defined(call: Call, out: Array) -> Array:
    """(D,), whether ``out``, the layer's own from ``call`` in the precision of ``call``, is that of the definition."""
    truth = batchnorm.forward(call.x, call.gamma, call.beta, call.settings.eps, _fixed(call))
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


def closed_form(call: Call, dout: Array) -> Gradients:
    """The gradients of the definition, in the precision of ``call``."""
    return batchnorm.backward(dout, call.x, call.gamma, call.settings.eps, _fixed(call))


def disagreements(
    agrees: Array, numeric: Gradients, bars: Gradients, truth: Gradients, rounding: Gradients
) -> Gradients:
    """Boolean arrays in the shapes of the gradients, or of what is looked at of them; ``bars`` are (D,) each.

    ``agrees``, of ``defined``, is (D,) too; ``truth`` is the closed form, and ``rounding`` what either may be off by in
    the precision that both were computed in.
    """
    return Gradients(
        *(
            agrees & np.isfinite(n) & (np.abs(n - t) > bar + 2 * r)
            for n, t, bar, r in zip(numeric, truth, bars, rounding, strict=True)
        )
    )


def _fixed(call: Call) -> Statistics | None:
    return call.running if call.settings.mode is Mode.TEST else None
