"""Work is done once and counted once, whoever does it and however often a process dies under it."""

from __future__ import annotations

import functools
import os
import signal
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bncheck.errors import BadInput, LayerRaised
from bncheck.executors import Dask, Here, Killed, Processes, Task, run_all

MISCHIEF = 7


def squared(k: int) -> int:
    return k * k


def deadly(k: int, bad: tuple[int, ...]) -> int:
    if k in bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return k * k


def deadly_once(k: int, mark: str) -> int:
    if k == MISCHIEF and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return k * k


def refusing(k: int) -> int:
    if k == MISCHIEF:
        raise BadInput("seven is no number of mine")
    return k


def shouting(k: int) -> int:
    os.write(1, b"to standard output\n")
    return k


def tasks(f: Any, count: int = 12, *more: Any) -> list[Task]:
    return [Task(k, functools.partial(f, k, *more)) for k in range(count)]


ALL = {k: k * k for k in range(12)}


@pytest.mark.parametrize("make", [lambda: None, Here, lambda: Processes(1), lambda: Processes(3)])
def test_every_result_comes_once(make: Any) -> None:
    told: list[tuple[Any, Any]] = []
    assert run_all(tasks(squared), make(), lambda *each: told.append(each)) == ALL
    assert sorted(told) == sorted(ALL.items())


def test_an_executor_of_the_callers_is_left_to_the_caller() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert run_all(tasks(squared), pool) == ALL
        assert pool.submit(squared, 3).result() == 9


def test_a_key_counts_once() -> None:
    told: list[Any] = []
    assert run_all([*tasks(squared), *tasks(squared)], None, lambda key, _: told.append(key)) == ALL
    assert told == list(ALL)


@pytest.mark.parametrize("make", [Here, lambda: Processes(2)])
def test_what_a_task_raises_stops_the_run(make: Any) -> None:
    with pytest.raises(BadInput, match="seven is no number of mine"):
        run_all(tasks(refusing), make())


def test_a_process_that_dies_by_chance_costs_nothing(tmp_path: Path) -> None:
    told: list[Any] = []
    mark = str(tmp_path / "mark")
    assert run_all(tasks(deadly_once, 12, mark), Processes(2), lambda key, _: told.append(key)) == ALL
    assert sorted(told) == list(ALL)
    assert Path(mark).exists()


def test_who_kills_its_process_is_found_and_nobody_else_is_blamed() -> None:
    found = run_all(tasks(deadly, 12, (3, MISCHIEF)), Processes(2))
    assert {k for k, result in found.items() if isinstance(result, Killed)} == {3, MISCHIEF}
    assert {k: v for k, v in found.items() if not isinstance(v, Killed)} == {
        k: v for k, v in ALL.items() if k not in (3, MISCHIEF)
    }


def test_where_every_process_dies_it_is_said() -> None:
    with pytest.raises(LayerRaised, match="the process ended under each of the first"):
        run_all(tasks(deadly, 40, tuple(range(40))), Processes(2))


class _Broken(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor


def test_an_executor_that_takes_nothing_does_not_hang_the_run() -> None:
    with pytest.raises(LayerRaised, match="the process ended"):
        run_all(tasks(squared), _Broken())


def test_stopping_leaves_no_process_behind() -> None:
    import multiprocessing

    def stop(key: Any, result: Any) -> None:
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        run_all(tasks(squared), Processes(2), stop)
    until = time.monotonic() + 10
    while set(multiprocessing.active_children()) - before and time.monotonic() < until:
        time.sleep(0.01)
    assert not set(multiprocessing.active_children()) - before


def test_standard_output_is_not_for_workers(capfd: pytest.CaptureFixture[str]) -> None:
    run_all(tasks(shouting, 2), Processes(2))
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.count("to standard output") == 2


@pytest.mark.filterwarnings("ignore")
def test_no_scheduler_is_bad_input() -> None:
    pytest.importorskip("distributed", reason="distributed is not installed")
    with pytest.raises(BadInput, match="no Dask scheduler"):
        run_all(tasks(squared), Dask("nonsense://nowhere"))
