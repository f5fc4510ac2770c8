"""What rounding may make of the projections of the gradients, from sums over the columns and nothing larger.

Most of what an entry of dx may be off by is common to its column, an error of the mean, of inv, of mean(g) or of
m = mean(g * xhat), each with a shape that is known: its projection on a direction s is as well.  Only the last
roundings of every entry are its own.  In the terms of rounding.py, the projection of dx is off by

    rho (|s . dx| + 2 inv |m| |s . xhat|) + inv |s . 1| (c u mean|g| + w(g) / N + delta (|m| + mu))
        + inv |s . xhat| mu + what the directions make of 8 u (natural scale) + inv iota (|m| + mu) + 2 eta |x - mean|

What is multiplied by m or mu is bend / inv³ times as large where the layer divides by something else than the root.
The directions make of a table t |table|_2 (projections.py), and the norm of a sum is no more than the sum of the norms:
so all of it follows from the sums and norms of dout, xhat and dout * xhat and the projections of dout and xhat, since
gamma is the same in all rows and s . dx is a combination of s . g, s . 1 and s . xhat.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.layers.protocol import Call
from bncheck.projections import Directions, inner, unlikely
from bncheck.rounding import Column, Forward, Scatter


class Size(NamedTuple):
    """Of a table, column by column; (D,) each."""

    total: Array
    """The sum."""
    sizes: Array
    """The sum of the absolute values."""
    norm: Array
    """The 2-norm."""


class Limits(NamedTuple):
    """What a good implementation may be off by."""

    along: Gradients
    """dx projected, (K, D)."""
    entries: Gradients
    """The same for dx (D,) where nothing is known but what each entry may be off by."""
    typical: Array
    """(D,), the root mean square of the natural scale of dx over the rows."""


class Sums(NamedTuple):
    """All that is asked of a block of columns."""

    call: Call
    x: Scatter
    inv: Array
    """(D,), 1 / sqrt(var + eps): xhat is of the definition here."""
    dout: Size
    xhat: Size
    products: Size
    """dout * xhat, without its norm."""
    of_ones: Array
    """(K, 1), the projections, and so on."""
    of_dout: Array
    """(K, D)"""
    of_xhat: Array
    """(K, D)"""

    @classmethod
    def of(cls, call: Call, dout: Array, directions: Directions, dx: Array) -> tuple[Sums, Array]:
        """In float64, or in what is wider; and the projections of ``dx``, (K, D), a table of the same size."""
        precise = np.promote_types(call.x.dtype, np.float64)
        wide, (n, d) = call.astype(precise), call.x.shape
        x = Scatter.of(wide)
        inv = 1 / np.sqrt(np.maximum(x.var + wide.settings.eps, np.finfo(np.float64).smallest_subnormal))
        # Side by side the three tables take one walk through the signs.
        tables = np.empty((n, 3 * d), precise, order="F")
        xhat = np.subtract(wide.x, x.mean, out=tables[:, :d])
        xhat *= inv
        tables[:, d : 2 * d] = dout
        tables[:, 2 * d :] = dx
        dout = tables[:, d : 2 * d]
        of_xhat, of_dout, of_dx = np.split(directions.of(tables), 3, axis=1)
        spare = tables[:, 2 * d :]
        sizes = [_size(xhat, spare), _size(dout, spare)]
        product = np.multiply(xhat, dout, out=xhat)
        total = product.sum(axis=0)
        products = Size(total, np.abs(product, out=product).sum(axis=0), total)
        return cls(wide, x, inv, sizes[1], sizes[0], products, directions.lumps, of_dout, of_xhat), of_dx

    def truth(self) -> Gradients:
        """The closed form of the definition, dx projected."""
        return Gradients(self._dx(self.inv * self.call.gamma, 1.0), self.products.total, self.dout.total)

    def limits(self, dtype: np.dtype[Any], own: Forward | None = None) -> Limits:
        """Of an implementation that computes in ``dtype``; ``own`` as for ``rounding.allowance``."""
        n, column = len(self.call.x), Column.like(self.x, self.call, dtype, own)
        growth, gamma = column.inv / self.inv, np.abs(column.gamma)
        c, delta, iota, inv, relative, eta = column[:6]
        signed, sizes = growth * np.abs(self.products.total), growth * self.products.sizes
        alike = column.u * n / 2
        of_mean = delta * np.abs(self.dout.total) + iota * self.dout.norm + alike * signed
        dbeta = c * self.dout.sizes + alike * np.abs(self.dout.total) + n * eta
        dgamma = of_mean + relative * sizes + n * eta
        through = gamma * sizes / n
        mu = gamma * of_mean / n + relative * through + eta * inv
        dx = np.abs(self._dx(inv * gamma, growth**2 * column.bent))
        terms = _Terms(column, growth, gamma, gamma * signed / n, through, mu, dx)
        along, entries, typical = self._through(terms) if column.of_batch else self._direct(terms)
        return Limits(Gradients(along, dgamma, dbeta), Gradients(entries, dgamma, dbeta), typical)

    def _dx(self, scale: Array, bent: Array | float) -> Array:
        """(K, D), the projections of dx, with inv * gamma for ``scale``."""
        if not self.x.of_batch:
            return scale * self.of_dout
        n = len(self.call.x)
        of_statistics = self.dout.total / n * self.of_ones + bent * self.products.total / n * self.of_xhat
        return np.asarray(scale * (self.of_dout - of_statistics))

    def _through(self, terms: _Terms) -> tuple[Array, Array, Array]:
        """For dx along the directions, for its entries, and its natural scale, where x reaches out by three paths."""
        column, growth, gamma, m, through, mu, dx = terms
        c, delta, iota, inv, relative, eta = column[:6]
        n, dout, bent = len(self.call.x), self.dout, column.bent
        xhat, root = growth * self.xhat.norm, math.sqrt(n)
        ones, along = np.abs(self.of_ones), growth * np.abs(self.of_xhat)
        mean, alike = gamma * dout.sizes / n, column.u / 2 * gamma * np.abs(dout.total)
        common = relative * (dx + 2 * inv * bent * m * along)
        of_mean = c * mean + alike + delta * bent * (m + mu)
        common = common + inv * (ones * of_mean + bent * along * mu)
        alone = 8 * column.u * inv * (gamma * dout.norm + root * mean + bent * xhat * m)
        alone += root * (inv * iota * bent * (m + mu) + n * eta) + 2 * eta * xhat / inv
        # The bound of rounding.allowance, term by term.
        entries = inv * bent * xhat * (mu + relative * through) + 2 * eta * xhat / inv
        entries += relative * inv * gamma * dout.norm
        entries += root * (inv * (relative * mean + alike + bent * ((delta + iota) * m + delta * mu)) + n * eta)
        # The mean square of |g| + mean|g| + bent |xhat| mean|g xhat|, multiplied out.
        of_xhat = bent * through
        square = (gamma * dout.norm) ** 2 / n + 3 * mean**2 + (of_xhat * xhat) ** 2 / n
        square += 2 * of_xhat * (through + mean * growth * self.xhat.sizes / n)
        return common + unlikely(alone, n), unlikely(entries, n), inv * np.sqrt(square)

    def _direct(self, terms: _Terms) -> tuple[Array, Array, Array]:
        """The same where the statistics are constants."""
        column, n = terms.column, len(self.call.x)
        size = column.inv * terms.gamma * self.dout.norm
        alone, lost = 8 * column.u * size + math.sqrt(n) * column.eta, math.sqrt(n) * n * column.eta
        along = column.relative * terms.dx + unlikely(alone, n)
        return along, unlikely(column.relative * size + lost, n), size / math.sqrt(n)


class _Terms(NamedTuple):
    """Of a column, in the terms of rounding.py."""

    column: Column
    growth: Array
    """By how much larger its own xhat is than that of the definition."""
    gamma: Array
    """|gamma|, and so on."""
    m: Array
    through: Array
    """mean|g * xhat|"""
    mu: Array
    dx: Array
    """(K, D), the projections."""


def _size(table: Array, spare: Array) -> Size:
    """``spare``, a table of the same size, is overwritten."""
    sizes = np.abs(table, out=spare).sum(axis=0)
    return Size(table.sum(axis=0), sizes, np.sqrt(inner(table, table)))
