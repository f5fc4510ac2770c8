"""Limits from column sums against the same from whole tables."""

from __future__ import annotations

import numpy as np
import pytest

from bncheck import batchnorm
from bncheck.along import Sums
from bncheck.batch import generate
from bncheck.layers.protocol import Call
from bncheck.projections import Directions
from bncheck.rounding import allowance
from bncheck.settings import LayerSettings


@pytest.mark.parametrize("n", [2, 7, 2000])
def test_sums_say_what_the_tables_say(n: int) -> None:
    batch, directions = generate(n, 5), Directions(n, 4, 0)
    call = Call(batch.x, batch.gamma, batch.beta, None, LayerSettings())
    right = batchnorm.backward(batch.dout, batch.x, batch.gamma, call.settings.eps)
    sums, of_dx = Sums.of(call, batch.dout, directions, right.dx)
    assert np.allclose(of_dx, directions.of(right.dx), rtol=1e-10, atol=1e-12)
    for mine, table in zip(sums.truth(), (of_dx, *right[1:]), strict=True):
        assert np.allclose(mine, table, rtol=1e-9, atol=1e-9)
    limits, whole = sums.limits(batch.x.dtype), allowance(call, batch.dout, batch.x.dtype)
    assert np.allclose(limits.typical, np.sqrt(np.mean(whole.natural_scale.dx**2, axis=0)))
    for mine, table in zip(limits.entries[1:], whole.rounding[1:], strict=True):
        assert np.allclose(mine, table, rtol=1e-9)
    bound = directions.bound(whole.rounding.dx)
    assert np.all((bound <= limits.entries.dx * (1 + 1e-9)) & (limits.entries.dx <= 3 * bound))
