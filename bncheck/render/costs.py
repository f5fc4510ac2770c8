"""What checks cost, as tables: one for each size, and sentences about what is no number."""

from __future__ import annotations

from collections.abc import Iterator

from bncheck.benchmark import BenchReport, Cost, Machine, Outcome, Spread, Verifies
from bncheck.render.document import Block, Document, Table, conjunction

_HEADER = ("check", "verifies", "bar", "passes", "seconds", "own passes", "x bncheck")
_SHOWN = (Outcome.MEASURED, Outcome.EXTRAPOLATED, Outcome.STOPPED)
_WHAT = {
    "loop": "two forward passes for each entry, with a step of 1e-5",
    "scipy": "scipy.optimize.check_grad",
    "scipy random": "the same with direction='random'",
    "torch slow": "torch.autograd.gradcheck",
    "torch fast": "the same with fast_mode=True",
    "jax": "jax.test_util.check_grads, compiled",
    "autograd": "autograd.test_util.check_grads",
}


def document(report: BenchReport, verbose: bool = False) -> Document:
    blocks: list[Block] = []
    for size in report.sizes:
        costs = [cost for cost in report.costs if (cost.n, cost.d) == size]
        blocks += [_title(*size), *_table(costs, report.settings["limit"]), *_about(costs, report.settings["limit"])]
    absent = sorted({cost.check for cost in report.costs if cost.outcome is Outcome.ABSENT})
    if absent:
        blocks.append(f"Not installed: {conjunction(absent)}.")
    blocks += [_legend(), *_names(report)]
    if verbose:
        blocks.append(_how(report))
    return Document(_heading(report), tuple(blocks))


def _heading(report: BenchReport) -> str:
    return f"What a check costs, {report.date}: {_words(report.machine)}"


def _words(machine: Machine) -> str:
    cores = f"{machine.cores} core{'s' * (machine.cores != 1)}, of which each check has one"
    return f"{machine.cpu}, {cores}; {machine.system}, Python {machine.python}, NumPy {machine.numpy}"


def _title(n: int, d: int) -> str:
    return f"(N, D) = ({n}, {d}), {n * d:,} entries in float64:"


def _table(costs: list[Cost], limit: float) -> Iterator[Table]:
    rows = tuple(_row(cost, limit) for cost in costs if cost.outcome in _SHOWN)
    if rows:
        yield Table(_HEADER, rows, words=(0, 1, 2))


def _row(cost: Cost, limit: float) -> tuple[str, ...]:
    measured = cost.outcome is Outcome.MEASURED
    return (
        cost.check,
        cost.verifies.value,
        "yes" if cost.error_bar else "no",
        "" if cost.passes is None else _count(cost.passes),
        _two(cost.seconds.median, 3) if measured and cost.seconds else f"over {limit:g}",
        _two(cost.own_passes.median) if cost.own_passes else "",
        _spread(cost.times_bncheck) if cost.times_bncheck else "",
    )


def _count(passes: float) -> str:
    return f"{passes:,.0f}" if passes < 1e6 else f"{passes:.2g}"


def _two(value: float, digits: int = 2) -> str:
    """With so many digits, and no exponent for what people can count."""
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:.0f}"


def _spread(times: Spread) -> str:
    return f"{_two(times.median)} ±{100 * times.swing:.0f}%"


def _about(costs: list[Cost], limit: float) -> Iterator[str]:
    long = [cost for cost in costs if cost.outcome is Outcome.EXTRAPOLATED]
    if long:
        each = [f"{cost.check} {_duration(cost.seconds.median)}" for cost in long if cost.seconds]
        yield f"Over {limit:g} s, extrapolated and not run: {conjunction(each)}."
    for cost in costs:
        if cost.outcome in (Outcome.STOPPED, Outcome.FAILED):
            yield f"{cost.check} was not timed: {cost.said}."
    accusing = [cost.check for cost in costs if cost.accepted is False]
    if accusing:
        yield f"By their own defaults, {conjunction(accusing)} called this layer wrong, and it is right."


def _duration(seconds: float) -> str:
    """In the unit that people would use."""
    for name, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{_two(seconds / length)} {name}"
    return f"{_two(seconds)} s"


def _legend() -> str:
    return (
        "passes: forward passes of the whole batch that the check makes. seconds: processor time of one check, the "
        "median of its rounds. own passes: the same in units of those forward passes, each as long as one by itself; "
        "what is above 1 is backward passes, comparisons, the verdict. x bncheck: the same in units of bncheck's check "
        "that verifies alike (bncheck for every entry, projected for the others), made in the same round; ± is half of "
        "the range over the rounds. bar: whether it knows how far off its own numerical values may be."
    )


def _names(report: BenchReport) -> Iterator[str]:
    there: dict[str, str] = {}
    for cost in report.costs:
        if cost.outcome in _SHOWN:
            there[cost.check] = there.get(cost.check) or cost.version
    others = [f"{name} is {what}{_version(there[name])}" for name, what in _WHAT.items() if name in there]
    if others:
        yield f"{'; '.join(others)}."
    if any(cost.verifies is Verifies.COLUMNS for cost in report.costs if cost.outcome in _SHOWN):
        yield "bncheck and projected are bncheck grad with --coverage full and --coverage projected."


def _version(version: str) -> str:
    return f" ({version})" if version else ""


def _how(report: BenchReport) -> str:
    busiest = max((cost.cores for cost in report.costs if cost.cores), default=0.0)
    said = ", ".join(f"{name} {value:g}" for name, value in report.settings.items() if name not in ("dtype", "threads"))
    return (
        f"{said}. Each check had a process of its own, told to use one thread before anything was loaded; "
        f"the most that any of them used was {busiest:.2f} cores."
    )
