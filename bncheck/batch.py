"""A batch: x, gamma, beta, dout and, where known, the running statistics; made here or given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bncheck import memory
from bncheck.arrays import Array
from bncheck.batchnorm import Statistics, batch_statistics, update_running
from bncheck.errors import BadInput
from bncheck.layout import Layout
from bncheck.stream import Stream

DTYPES = {name: np.dtype(name) for name in ("float16", "float32", "float64")}
ARRAYS = ("x", "gamma", "beta", "dout", "running_mean", "running_var")
RUNNING = ("running_mean", "running_var")
BYTES_PER_ENTRY = 6 * 8
"""What x, dout and one pass over them take."""


class Batch(NamedTuple):
    """x and dout are (N, D); gamma, beta and the running statistics are (D,); one dtype throughout."""

    x: Array
    gamma: Array
    beta: Array
    dout: Array
    running: Statistics | None = None
    source: str = "arrays"
    seed: int | None = None
    layout: Layout | None = None
    """None where x was an (N, D) table to begin with."""
    columns: tuple[str, ...] = ()
    """The names of the columns, where the file had any."""
    budget: int | None = None
    """Of a batch on disk, the bytes that working with it may take; None where it is in memory."""

    @property
    def n(self) -> int:
        return int(self.x.shape[0])

    @property
    def d(self) -> int:
        return int(self.x.shape[1])

    def narrowed(self, dtype: str) -> Batch:
        """The same in ``dtype``, where that is narrower."""
        if np.dtype(dtype).itemsize >= self.x.dtype.itemsize:
            return self
        arrays = {name: getattr(self, name).astype(dtype) for name in ("x", "gamma", "beta", "dout")}
        return self._replace(**arrays, running=self.running.astype(dtype) if self.running else None)

    def place(self, row: int, column: int) -> tuple[int, ...]:
        """Where an entry of x stands in the array as it was given."""
        return self.layout.place(row, column) if self.layout else (int(row), int(column))

    def given(self, table: Array) -> Array:
        """An (N, D) result in the layout of the x that was given."""
        return self.layout.from_table(table) if self.layout else table


class Population(NamedTuple):
    """What generated batches are drawn from: one spread and one mean for each column.

    Bland data hides mistakes, so columns differ on purpose.  Spreads vary about ``scale`` by a
    factor of 4 either way; every fourth column has a variance near 1e-5, the usual eps, whatever the scale,
    since only there does the place of eps show.  Means lie within two spreads of ``offset``.
    """

    d: int
    seed: int
    scale: float = 1.0
    offset: float = 0.0

    def draw(self, n: int, which: int = 0) -> Array:
        """Batch number ``which``, (n, D) in float64.  Raises BadInput where nothing can be drawn."""
        if self.d < 1:
            raise BadInput(f"D is {self.d}: at least one column is needed")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise BadInput(f"scale is {self.scale:g}: give a finite number above 0")
        if not math.isfinite(self.offset):
            raise BadInput(f"offset is {self.offset:g}: give a finite number")
        draw = Stream(self.seed, "population")
        # A scale that overflows is refused with the numbers that it makes.
        with np.errstate(over="ignore", invalid="ignore"):
            spread = self.scale * 4.0 ** draw.uniform(-1, 1, self.d)
            spread[3::4] = 10.0 ** draw.uniform(-2.75, -2.25, len(spread[3::4]))
            mean = self.offset + spread * draw.uniform(-2, 2, self.d)
            return np.asarray(mean + spread * Stream(self.seed, "x", which).normal(n, self.d))


def generate(
    n: int = 64,
    d: int = 10,
    seed: int = 0,
    scale: float = 1.0,
    offset: float = 0.0,
    dtype: str | None = None,
) -> Batch:
    """A batch of ``n`` rows and ``d`` columns, the same for the same seed on every machine."""
    if n < 1:
        raise BadInput(f"N is {n}: at least one row is needed")
    population = Population(d, seed, scale, offset)
    memory.require(n, d, BYTES_PER_ENTRY, "a batch")
    x = population.draw(n)
    if not np.isfinite(x).all():
        raise BadInput(f"scale {scale:g} and offset {offset:g} overflow: give smaller ones")
    return assemble({"x": x}, seed=seed, dtype=dtype, source="generated")


def assemble(
    arrays: dict[str, Array],
    *,
    seed: int = 0,
    dtype: str | None = None,
    channel_axis: int | None = None,
    source: str = "arrays",
    columns: tuple[str, ...] = (),
) -> Batch:
    """A Batch from whichever of ``ARRAYS`` there are; gamma, beta and dout that are absent come from ``seed``.

    Raises BadInput for shapes that do not fit, numbers that are not finite, or that ``dtype`` cannot hold.
    """
    raw = {name: _real(name, np.asanyarray(array), source) for name, array in arrays.items()}
    layout = Layout.of(raw["x"], channel_axis, f"x in {source}")
    target = DTYPES[dtype] if dtype else natural(raw["x"])
    tables = {"x": layout.to_table(raw.pop("x"))}
    n, d = tables["x"].shape
    memory.require(n, d, BYTES_PER_ENTRY, f"{source}: a pass over a batch")
    running = {name: raw.pop(name) for name in RUNNING if name in raw}
    for name, array in raw.items():
        if name != "dout":
            tables[name] = _row(name, array, d, source)
        elif array.shape == layout.shape:
            tables[name] = layout.to_table(array)
        else:
            raise BadInput(f"dout in {source} has shape {array.shape} and x has {layout.shape}: they must agree")
    cast = {
        name: _cast(name, array, target, layout if array.ndim == 2 else None, columns, source)
        for name, array in tables.items()
    }
    cast |= absent(seed, n, d, target, cast)
    return Batch(
        x=cast["x"],
        gamma=cast["gamma"],
        beta=cast["beta"],
        dout=cast["dout"],
        running=_statistics(running, d, target, source) if running else None,
        source=source,
        seed=seed,
        layout=None if layout == Layout((n, d), 1) else layout,
        columns=columns,
    )


def absent(seed: int, n: int, d: int, dtype: np.dtype[Any], given: Mapping[str, Array]) -> dict[str, Array]:
    """gamma, beta and dout, as far as they are not given."""
    makers: dict[str, Callable[[], Array]] = {
        "gamma": lambda: _gamma(d, seed),
        "beta": lambda: Stream(seed, "beta").normal(d),
        "dout": lambda: Stream(seed, "dout").normal(n, d),
    }
    return {name: make().astype(dtype) for name, make in makers.items() if name not in given}


def with_running(batch: Batch, running: Mapping[str, Array], source: str) -> Batch:
    """The batch with the ``RUNNING`` statistics that ``source`` gave; raises BadInput where they do not fit it."""
    return batch._replace(running=_statistics(running, batch.d, batch.x.dtype, source))


def warm_up(
    batch: Batch,
    steps: int,
    momentum: float,
    population: Population | None = None,
    progress: Callable[[float, float], object] | None = None,
) -> Batch:
    """The batch with running statistics: those it has, or those of ``steps`` training batches.

    The batches come from ``population`` (the one that x was drawn from) or, for data of the user's,
    are x itself.  Running statistics start at mean 0 and variance 1.  ``progress`` is told (steps made, steps), and
    may raise in order to stop.
    """
    if batch.running is not None:
        return batch
    if steps < 0:
        raise BadInput(f"warmup is {steps}: give a number of batches that is not negative")
    running = Statistics(np.zeros(batch.d), np.ones(batch.d))
    own = _own_statistics(batch)
    for k in range(steps):
        seen = batch_statistics(population.draw(batch.n, k + 1)) if population else own
        running = update_running(running, seen, momentum)
        if progress is not None:
            progress(k + 1, steps)
    return with_running(batch, dict(zip(RUNNING, running, strict=True)), "the warm-up")


def _own_statistics(batch: Batch) -> Statistics:
    """In float64; of a batch on disk, one column after the other."""
    if batch.budget is None:
        return batch_statistics(batch.x.astype(np.float64))
    from bncheck import storage

    found = []
    for column in range(batch.d):
        found.append(batch_statistics(np.array(batch.x[:, column : column + 1], np.float64)))
        storage.release(batch.x)
    return Statistics(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _gamma(d: int, seed: int) -> Array:
    """Both signs and never 1: a backward that forgets gamma is right where gamma is 1."""
    draw = Stream(seed, "gamma")
    size = draw.uniform(1.25, 2.5, d) ** draw.signs(d)
    return np.asarray(size * draw.signs(d))


def _real(name: str, array: Array, source: str) -> Array:
    if array.dtype.kind == "c":
        raise BadInput(f"{name} in {source} is complex: real numbers are needed")
    if array.dtype.kind not in "fiub":
        raise BadInput(f"{name} in {source} has dtype {array.dtype}: numbers are needed")
    return array


def _row(name: str, array: Array, d: int, source: str) -> Array:
    """One number for each column, (D,)."""
    if array.shape not in ((d,), (1, d), (d, 1)):
        raise BadInput(f"{name} in {source} has shape {array.shape}: x has {d} columns, so ({d},) is needed")
    return array.reshape(d)


def _statistics(arrays: Mapping[str, Array], d: int, dtype: np.dtype[Any], source: str) -> Statistics:
    if len(arrays) < len(RUNNING):
        raise BadInput(f"{source} holds one of {' and '.join(RUNNING)}: give both or neither")
    rows = (_row(name, _real(name, np.asanyarray(arrays[name]), source), d, source) for name in RUNNING)
    found = Statistics(*(_cast(name, row, dtype, None, (), source) for name, row in zip(RUNNING, rows, strict=True)))
    if np.any(found.var < 0):
        worst = int(np.argmin(found.var))
        raise BadInput(f"running_var[{worst}] in {source} is {found.var[worst]:g}: a variance is not negative")
    return found


def natural(x: Array) -> np.dtype[Any]:
    """The dtype of x where it is one that layers compute in; float64 for integers and anything wider."""
    native = x.dtype.newbyteorder("=")
    return native if native in DTYPES.values() else DTYPES["float64"]


def _cast(
    name: str,
    table: Array,
    dtype: np.dtype[Any],
    layout: Layout | None,
    columns: tuple[str, ...],
    source: str,
) -> Array:
    """In the dtype of the batch, native and in C order, finite before and after."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(table, dtype=dtype)
        # A sum is finite only if every term is, and costs no array of its own.
        if np.isfinite(cast.sum()) or np.isfinite(cast).all():
            return cast
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(cast))[0])
    value = table[first]
    place = ", ".join(map(str, layout.place(*first) if layout else first))
    named = f" (column {columns[first[1]]!r})" if columns and len(first) == 2 else ""
    if np.isfinite(value):
        advice = "scale it down" if dtype == np.float64 else "use a wider --dtype"
        raise BadInput(f"{name}[{place}]{named} in {source} is {value!s}, which {dtype} cannot hold: {advice}")
    others = int(np.sum(~np.isfinite(cast))) - 1
    more = f", and so {'is' if others == 1 else 'are'} {others} more" if others else ""
    raise BadInput(f"{name}[{place}]{named} in {source} is {value:g}{more}: finite numbers are needed")
