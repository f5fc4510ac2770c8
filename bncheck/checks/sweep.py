"""How the error of a difference quotient depends on its step: the V-curve, measured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bncheck import __version__, batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.motion import Motion, of_parameters, of_x
from bncheck.checks.numeric import Progress
from bncheck.checks.slopes import slopes
from bncheck.curves import Absolute, Curve, Own, Panel, Point, SweepReport
from bncheck.differences import Derivative, differentiate, quotients
from bncheck.errors import LayerRaised
from bncheck.layers.protocol import Call, Layer
from bncheck.layers.reference import Reference
from bncheck.passes import describe, require_finite
from bncheck.rounding import allowance, bending_scale, forward_allowance
from bncheck.settings import LayerSettings
from bncheck.stencils import CENTRAL, STENCILS, Stencil
from bncheck.stream import Stream
from bncheck.vocabulary import Method, Mode

DTYPES = ("float32", "float64")
METHODS = (Method.FORWARD, Method.CENTRAL, Method.FIVE_POINT, Method.RICHARDSON, Method.COMPLEX)
QUANTITIES = Gradients._fields
_DECADES, _EACH = 16, 4
STEPS = tuple(10.0 ** (k / _EACH - _DECADES) for k in range(_DECADES * _EACH + 1))
_HABIT = 1e-5  # the absolute step of most gradient checks in circulation
_ENTRIES, _FEW = 1 << 16, 8  # entries evaluated for one step of one method, and rows that are measured all the same


def sweep(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    *,
    methods: Sequence[Method] = METHODS,
    quantities: Sequence[str] = QUANTITIES,
    dtypes: Sequence[str] = DTYPES,
    progress: Progress | None = None,
) -> SweepReport:
    """Difference quotients at steps from 1e-16 to 1, four a decade, against the closed form in extended precision.

    ``layer`` None takes the reference.  Every entry is measured where that evaluates no more than 2**16 entries a
    step (N * N * D of them); on a larger batch a few rows, and if need be a few columns, drawn by the batch's seed,
    stand for all, the narrowest and the widest column among them.  Columns are taken to be independent, which
    ``check_layer`` finds out.  ``SweepReport`` says what the numbers mean.  Raises BadInput where the batch has no
    finite normalization in one of the ``dtypes``.
    """
    started = time.perf_counter()
    layer, settings = layer or Reference(), settings or LayerSettings()
    part = _Part.of(batch, layer, settings)
    count = _Count(progress, len(dtypes) * part.passes([STENCILS[m] for m in methods], quantities))
    found = _Found([], [], [])
    for dtype in dtypes:
        with np.errstate(all="ignore"):
            one = _Sweep(layer, part, np.dtype(dtype), count)
            stencils = one.possible([STENCILS[m] for m in methods], found.notes)
            found.panels.extend(one.panels(stencils, quantities))
            found.absolute.extend(one.absolute(CENTRAL) if "dx" in quantities else ())
    return SweepReport(
        mode=settings.mode.value,
        implementation=layer.name,
        batch=describe(batch),
        settings={"eps": settings.eps, "momentum": settings.momentum, "methods": list(methods)},
        steps=STEPS,
        panels=tuple(found.panels),
        absolute=tuple(found.absolute),
        rows=len(part.rows),
        columns=len(part.columns),
        notes=tuple(dict.fromkeys(found.notes)),
        forward_passes=round(count.passes, 2),
        seconds=time.perf_counter() - started,
        version=__version__,
    )


class _Found(NamedTuple):
    """What has come together so far."""

    panels: list[Panel]
    absolute: list[Absolute]
    notes: list[str]


class _Part(NamedTuple):
    """What of a batch is measured."""

    call: Call
    """The chosen columns, with all their rows."""
    dout: Array
    rows: Array
    columns: Array
    seed: int

    @classmethod
    def of(cls, batch: Batch, layer: Layer, settings: LayerSettings) -> _Part:
        call = Call(batch.x, batch.gamma, batch.beta, batch.running, settings)
        require_finite(call)
        draw, n, d = Stream(batch.seed or 0, "sweep"), batch.n, batch.d
        fewest = max(1, min(_FEW, 2 * _ENTRIES // n))
        rows = np.sort(draw.permutation(n)[: max(fewest, _ENTRIES // (n * d))])
        # A layer that takes its own number of columns and no other gets them all.
        fit = max(2, _ENTRIES // (n * len(rows))) if layer.traits.packs else d
        scale = bending_scale(call.astype(np.float64))
        first = [int(np.argmin(scale)), int(np.argmax(scale)), *map(int, draw.permutation(d))]
        columns = np.sort(np.array(list(dict.fromkeys(first))[:fit]))
        running = batch.running.take(columns) if batch.running else None
        chosen = Call(batch.x[:, columns], batch.gamma[columns], batch.beta[columns], running, settings)
        return cls(chosen, batch.dout[:, columns], rows, columns, batch.seed or 0)

    def passes(self, stencils: Sequence[Stencil], quantities: Sequence[str]) -> int:
        """Evaluations of the whole of ``call`` that a sweep makes in one dtype, about."""
        moved = len(self.rows) * ("dx" in quantities) + 2 * any(q != "dx" for q in quantities)
        return moved * len(STEPS) * sum(len(s.offsets) for s in stencils)


@dataclass
class _Count:
    """Forward passes made, of those expected."""

    progress: Progress | None
    expected: int
    passes: float = 0.0

    def __call__(self, done: float) -> None:
        self.passes += done
        if self.progress is not None:
            self.progress(self.passes, self.expected)


class _Sweep:
    """All of it in one dtype."""

    def __init__(self, layer: Layer, part: _Part, dtype: np.dtype[Any], tick: _Count) -> None:
        self.layer, self.part, self.dtype, self.tick = layer, part, dtype, tick
        self.call, self.dout = part.call.astype(dtype), part.dout.astype(dtype)
        require_finite(self.call)
        self.test = self.call.settings.mode is Mode.TEST
        self.wide = self.call.astype(np.longdouble)
        self.fixed = self.wide.running if self.test else None
        eps = self.call.settings.eps
        self.truth = batchnorm.backward(self.dout.astype(np.longdouble), self.wide.x, self.wide.gamma, eps, self.fixed)
        self.natural = allowance(self.call, self.dout, dtype).natural_scale

    def possible(self, stencils: list[Stencil], notes: list[str]) -> list[Stencil]:
        """Without the complex step where the layer refuses complex numbers, and with a note of what the layer is."""
        notes += self._foreign()
        rest = [s for s in stencils if s.cancels]
        if rest == stencils:
            return stencils
        try:
            self.layer.forward(self.call._replace(x=self.call.x.astype(np.result_type(self.dtype, np.complex64))))
        except LayerRaised as raised:
            if not rest:
                raise
            notes.append(
                f"There is no complex step, for {self.layer.name} refuses complex numbers: {_first_line(raised)}."
            )
            return rest
        return stencils

    def _foreign(self) -> list[str]:
        """A forward pass that is not the definition has other derivatives."""
        wide = self.wide
        right = batchnorm.forward(wide.x, wide.gamma, wide.beta, self.call.settings.eps, self.fixed)
        off = np.abs(self.layer.forward(self.call).out - right)
        if np.all(off <= forward_allowance(self.call, self.dtype)):
            return []
        return [
            f"The forward pass of {self.layer.name} is not the definition, so that the closed form is not its gradient "
            "and no error can fall below their difference."
        ]

    def panels(self, stencils: list[Stencil], quantities: Sequence[str]) -> Iterator[Panel]:
        for motion in (self._of_x(), of_parameters(self.layer, self.call, self.truth, self.natural)):
            wanted = [name for name in motion.parts if name in quantities]
            if wanted:
                yield from self._measured(motion, stencils, wanted)

    def absolute(self, stencil: Stencil) -> Iterator[Absolute]:
        """One step in units of x for all columns, as it fares in the narrowest and in the widest."""
        motion = self._of_x()
        tried = motion.errors(self._quotients(motion, stencil, _HABIT / motion.unit)).max(axis=0)
        own = self._own(motion, stencil)
        steps, reached = own.step / motion.unit, motion.errors(own.value).max(axis=0)
        ends = {int(np.argmax(motion.unit)): "widest", int(np.argmin(motion.unit)): "narrowest"}
        for j, place in reversed(ends.items()):
            spread = float(motion.unit[j])
            yield Absolute(
                dtype=str(self.dtype),
                method=stencil.name,
                step=_HABIT,
                place=place,
                column=int(self.part.columns[j]),
                spread=spread,
                relative=_HABIT / spread,
                error=float(tried[j]),
                own=Point(float(steps[j]), float(reached[j])),
            )

    def _measured(self, motion: Motion, stencils: list[Stencil], wanted: list[str]) -> Iterator[Panel]:
        swept = {
            s.name: [motion.errors(self._quotients(motion, s, np.full_like(motion.unit, h))) for h in STEPS]
            for s in stencils
        }
        own = {s.name: self._own(motion, s) for s in stencils}
        u = float(np.finfo(self.dtype).eps) / 2
        for name in wanted:
            rows = motion.parts[name]
            curves = []
            for s in stencils:
                errors = tuple(float(e[rows].max()) for e in swept[s.name])
                best = int(np.argmin(errors))
                curves.append(
                    Curve(
                        s.name,
                        s.order,
                        errors,
                        Point(STEPS[best], errors[best]),
                        *slopes(STEPS, errors, u),
                        _chosen(motion, own[s.name], rows),
                    )
                )
            yield Panel(name, str(self.dtype), motion.linear, u * motion.kappa, tuple(curves))

    def _of_x(self) -> Motion:
        return of_x(self.layer, self.call, self.part.rows, self.truth, self.natural)

    def _quotients(self, motion: Motion, stencil: Stencil, relative: Array) -> Array:
        step = relative * motion.unit
        whole = not self.layer.traits.packs
        return quotients(motion.f, motion.at, self.dout, stencil, step, whole=whole, tick=self.tick)

    def _own(self, motion: Motion, stencil: Stencil) -> Derivative:
        return differentiate(
            motion.f,
            motion.at,
            self.dout,
            motion.bend,
            stencil=stencil,
            linear=motion.linear,
            whole=not self.layer.traits.packs,
            seed=self.part.seed,
            tick=self.tick,
        )


def _chosen(motion: Motion, own: Derivative, rows: slice) -> Own:
    return Own(
        step=float(np.median(own.step / motion.unit)),
        error_bar=float(motion.bars(own.error)[rows].max()),
        error=float(motion.errors(own.value)[rows].max()),
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
