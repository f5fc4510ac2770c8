"""A second witness: the closed form in extended precision, where the forward pass is the definition.

Finite differences differentiate whatever the layer computes, so they are right for a forward pass that is not
the definition, and they depend on how it rounds.  The closed form is exact to eleven more bits than float64 has, and
holds for the definition alone.  Where the layer's output is that of the definition, to rounding, both must
say the same within their bars.  If they do not, one of them has failed, and neither accuses anybody.
"""

from __future__ import annotations

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array, DTypeLike
from bncheck.batchnorm import Gradients
from bncheck.checks.views import ENTRIES, View, bounds, seen
from bncheck.layers.protocol import Call
from bncheck.rounding import allowance, forward_allowance
from bncheck.vocabulary import Mode


def disagreements(
    call: Call,
    dout: Array,
    out: Array,
    numeric: Gradients,
    bars: Gradients,
    view: View = ENTRIES,
    dtype: DTypeLike = np.longdouble,
) -> Gradients:
    """Boolean arrays in the shapes of the gradients, dx as ``view`` looks at it; ``bars`` are (D,) each.

    ``out`` is the layer's own, from ``call``, in the precision of ``call``.  ``dtype`` is that of the closed form.
    """
    wide = call.astype(dtype)
    fixed = wide.running if call.settings.mode is Mode.TEST else None
    truth_of_out = batchnorm.forward(wide.x, wide.gamma, wide.beta, call.settings.eps, fixed)
    agrees = np.all(np.abs(out - truth_of_out) <= forward_allowance(call, call.x.dtype), axis=0)
    truth = batchnorm.backward(dout.astype(dtype, copy=False), wide.x, wide.gamma, call.settings.eps, fixed)
    rounding = allowance(call, dout, call.x.dtype).rounding
    return Gradients(
        *(
            agrees & np.isfinite(n) & (np.abs(n - t) > bar + r)
            for n, t, bar, r in zip(numeric, seen(truth, view), bars, bounds(rounding, view), strict=True)
        )
    )
