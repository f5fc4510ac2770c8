"""The difference formulas, each with the order of its truncation error."""

from __future__ import annotations

from typing import NamedTuple


class Stencil(NamedTuple):
    """f'(x) ~ sum_k weights[k] * f(x + offsets[k] * h) / h, with an error of h**order.

    The weights solve sum_k weights[k] * offsets[k]**m = (1 if m == 1 else 0) for m = 0, 1, ..., order:
    the Taylor expansion of f, term by term.
    """

    name: str
    offsets: tuple[complex, ...]
    weights: tuple[complex, ...]
    order: int

    @property
    def cancels(self) -> bool:
        """Whether nearby values are subtracted, so that rounding is divided by the step."""
        return not any(isinstance(offset, complex) for offset in self.offsets)


# Derivations beside the constants: each is the solution of the conditions above for its offsets.
FORWARD = Stencil("forward", (1, 0), (1, -1), order=1)
CENTRAL = Stencil("central", (1, -1), (1 / 2, -1 / 2), order=2)
# (4 central(h) - central(2h)) / 3: the h**2 of central differences cancels.
FIVE_POINT = Stencil("five-point", (1, -1, 2, -2), (2 / 3, -2 / 3, -1 / 12, 1 / 12), order=4)
# (16 five_point(h) - five_point(2h)) / 15 = (64 central(h) - 20 central(2h) + central(4h)) / 45: the same once more,
# with h**4 (Richardson, "The deferred approach to the limit", Phil. Trans. R. Soc. A 226, 1927).
RICHARDSON = Stencil(
    "richardson", (1, -1, 2, -2, 4, -4), (32 / 45, -32 / 45, -1 / 9, 1 / 9, 1 / 360, -1 / 360), order=6
)
# Im f(x + ih) / h: no subtraction, no cancellation (Squire & Trapp, SIAM Review 40, 1998).
COMPLEX = Stencil("complex", (1j,), (-1j,), order=2)
STENCILS = {s.name: s for s in (CENTRAL, FORWARD, FIVE_POINT, RICHARDSON, COMPLEX)}
