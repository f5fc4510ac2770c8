"""Carries pieces of work to whoever is there to do them: this process, others on this machine, a Dask cluster.

Whatever has ``submit`` as ``concurrent.futures`` has it can do the work.  Results are kept by key, so that a piece that
is run again because its process died is neither lost nor counted twice.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from typing import Any, NamedTuple, Protocol

from bncheck import __version__
from bncheck.errors import BadInput, LayerRaised

_TRIES = 2  # of a piece that is alone in its pool when its process dies
_HOPELESS = 4  # pieces that end their process each time, before a single one comes through
_ANSWER = 10  # seconds that a scheduler has
_GIVEN_WIDTH = 32


class Task(NamedTuple):
    """A piece of work; both must be picklable where another process does it."""

    key: Hashable
    run: Callable[[], Any]


class Killed(NamedTuple):
    """In place of the result of a piece whose process died each time that it was tried."""

    tries: int


Deaths = tuple[type[BaseException], ...]
Tick = Callable[[Hashable, Any], object]
"""Told each key and its result as soon as they are there; may raise in order to stop."""


class Engine(Protocol):
    """Where executors come from."""

    width: int
    """How many pieces it is worth handing over at once; known once it has started."""
    deaths: Deaths
    """What a future raises whose process has died."""

    def start(self) -> Executor:
        """An executor, at first or after the last one broke.  Raises BadInput where there is none to be had."""

    def stop(self, now: bool) -> None:
        """Lets go of the executor; ``now`` does not wait for what is running."""


def run_all(
    tasks: Iterable[Task], executor: Engine | Executor | None = None, tick: Tick | None = None
) -> dict[Hashable, Any]:
    """The results by key, whatever the order in which they came; ``executor`` None is this process.

    A task that raises stops the run with what it raised.  Raises LayerRaised where no process lives to do any.
    """
    with Crew(executor) as crew:
        return crew.run(tasks, tick)


class Crew:
    """An executor at work: several runs can share it.

    Where a process dies, nobody knows under which piece it did.  So all that were under way are tried again one at a
    time: whoever is alone when a process dies did it.
    """

    def __init__(self, executor: Engine | Executor | None = None) -> None:
        self.engine = _Given(executor) if isinstance(executor, Executor) else executor or Here()
        self.executor: Executor | None = None
        self.running: dict[Future[Any], Task] = {}
        self.suspects: deque[Task] = deque()
        self.killed: Counter[Hashable] = Counter()
        self.results: dict[Hashable, Any] = {}
        self.tick: Tick | None = None
        self.broken = self.alone = self.fruitful = False
        self.in_vain = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.executor is not None:
            self.engine.stop(now=kind is not None)

    def run(self, tasks: Iterable[Task], tick: Tick | None = None) -> dict[Hashable, Any]:
        """As ``run_all`` does."""
        self.results, self.tick, waiting = {}, tick, iter(tasks)
        while self._submit(waiting):
            for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                self._take(self.running.pop(future), future)
        return self.results

    def _submit(self, waiting: Iterator[Task]) -> bool:
        """Hands over as much as is worth it; whether there is anything to wait for."""
        if self.suspects and not self.running:
            self._hand_over(self.suspects.popleft(), alone=True)
        while not self.suspects and not self.alone and len(self.running) < (self.engine.width if self.executor else 1):
            task = next(waiting, None)
            if task is None:
                break
            self._hand_over(task, alone=False)
        return bool(self.running)

    def _hand_over(self, task: Task, alone: bool) -> None:
        if self.executor is None or self.broken:
            self.engine.stop(now=True) if self.executor is not None else None
            self.executor, self.broken = self.engine.start(), False
        self.alone = alone
        try:
            future = self.executor.submit(task.run)
        except self.engine.deaths as error:
            future = Future()
            future.set_exception(error)
        self.running[future] = task

    def _take(self, task: Task, future: Future[Any]) -> None:
        alone, self.alone = self.alone, False
        try:
            result = future.result()
        except self.engine.deaths as error:
            self.broken |= isinstance(error, BrokenExecutor)
            self.killed[task.key] += alone
            if self.killed[task.key] < _TRIES:
                self.suspects.append(task)
                return
            result = Killed(self.killed[task.key])
            self.in_vain += 1
            if self.in_vain == _HOPELESS and not self.fruitful:
                raise LayerRaised(f"the process ended under each of the first {_HOPELESS} pieces of work") from None
        else:
            self.fruitful = True
        if task.key not in self.results:
            self.results[task.key] = result
            if self.tick is not None:
                self.tick(task.key, result)


# ---- engines ----


class Here:
    """This process, one piece after another."""

    width = 1
    deaths: Deaths = (BrokenExecutor,)

    def start(self) -> Executor:
        return _Serial()

    def stop(self, now: bool) -> None:
        pass


class _Serial(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes:
    """So many processes of this machine."""

    deaths: Deaths = (BrokenExecutor,)

    def __init__(self, jobs: int) -> None:
        self.jobs, self.width = jobs, 2 * jobs
        self.executor: ProcessPoolExecutor | None = None
        self.others: set[Any] = set()

    def start(self) -> Executor:
        # A fork would take along locks of threads that it has not, those of BLAS and of a progress bar.
        context = multiprocessing.get_context("spawn")
        self.others = set(multiprocessing.active_children())
        self.executor = ProcessPoolExecutor(self.jobs, mp_context=context, initializer=_stand_aside)
        return self.executor

    def stop(self, now: bool) -> None:
        if self.executor is None:
            return
        own = set(multiprocessing.active_children()) - self.others if now else set()
        self.executor.shutdown(wait=not now, cancel_futures=True)
        for process in own:
            process.terminate()


def _stand_aside() -> None:
    """In a process that works: Ctrl-C is for the one that was asked, and so is standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)


class Dask:
    """The workers of a Dask scheduler, by ``Client.get_executor`` of the package distributed."""

    width = 1
    deaths: Deaths = (BrokenExecutor,)

    def __init__(self, address: str) -> None:
        self.address = address
        self.client: Any = None

    def start(self) -> Executor:
        try:
            from distributed import Client, KilledWorker
        except ImportError:
            raise BadInput("--dask needs the package distributed: pip install 'bncheck[dask]'") from None
        self.deaths = (BrokenExecutor, KilledWorker)
        try:
            connect: Any = Client
            self.client = connect(self.address, timeout=_ANSWER, set_as_default=False)
            self.client.wait_for_workers(1, timeout=_ANSWER)
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"{self.address}: no Dask scheduler with workers answers there ({error})") from None
        self._greet()
        self.width = 2 * max(1, sum(self.client.nthreads().values()))
        executor: Executor = self.client.get_executor()
        return executor

    def _greet(self) -> None:
        try:
            versions = set(self.client.run(_version).values())
        except Exception as error:
            raise BadInput(f"{self.address}: its workers cannot import bncheck: {error}") from None
        if versions != {__version__}:
            raise BadInput(f"{self.address}: its workers have bncheck {', '.join(versions)} and not {__version__}")

    def stop(self, now: bool) -> None:
        if self.client is not None:
            # What still runs there is of no use to anybody.
            self.client.close(timeout=0 if now else _ANSWER)


def _version() -> str:
    return __version__


class _Given:
    """An executor of the caller's, who goes on to use it."""

    width = _GIVEN_WIDTH
    deaths: Deaths = (BrokenExecutor,)

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def start(self) -> Executor:
        return self.executor

    def stop(self, now: bool) -> None:
        pass
