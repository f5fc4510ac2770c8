"""Keeps what the user's code does away from everything else, and tells its failures from ours."""

from __future__ import annotations

import contextlib
import dis
import io
import os
import random
import site
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, TextIO

import numpy as np

from bncheck.errors import BadInput, LayerRaised, NotImplementedByLayer
from bncheck.layers.absence import blamed

OURS = str(Path(__file__).resolve().parent.parent) + os.sep
LONGEST = 300
PRINTED = 100
"""How many lines of a layer's own are shown."""


def _library_folders() -> tuple[str, ...]:
    paths = [sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({os.path.join(os.path.realpath(path), "") for path in paths})  # noqa: PTH118, keeps the last slash


LIBRARIES = _library_folders()


def in_library(path: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return path.startswith("<") or os.path.realpath(path).startswith(LIBRARIES)


def _is_ours(path: str) -> bool:
    return os.path.realpath(path).startswith(OURS)


# ---- silence ----


class Aside:
    """Standard error, for a layer that is run hundreds of times: each line once, and not more than so many."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.rest = stream, ""
        self.shown: set[str] = set()

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line not in self.shown and len(self.shown) <= PRINTED:
                self.shown.add(line)
                over = len(self.shown) > PRINTED
                self.stream.write(("(what the layer prints from here on is left out)" if over else line) + "\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _aside() -> Any:
    """For standard error as it is now: whoever captures output has replaced it since this file was loaded."""
    stream = vars(sys)["stderr"]
    if not _asides or _asides[0].stream is not stream:
        _asides[:] = [Aside(stream)]
    return _asides[0]


_asides: list[Aside] = []


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Sends what is printed to standard error, and keeps warnings and floating-point complaints to itself."""
    with contextlib.redirect_stdout(_aside()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


# ---- failures ----


def one_line(error: BaseException) -> str:
    """The kind of an error and what it says."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # an exception whose own text fails is still worth its name
        said = ""
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _theirs(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    """The user's frames; those of libraries only where the layer itself comes from one."""
    outside = [frame for frame in stack if not _is_ours(frame.filename)]
    outside = [frame for frame in outside if not frame.filename.startswith("<frozen")]
    return [frame for frame in outside if not in_library(frame.filename)] or outside


def where(error: BaseException) -> str:
    """``layers.py:12 in backward``, or nothing where no line of the user's had a part in it."""
    frames = _theirs(traceback.extract_tb(error.__traceback__))
    if not frames:
        return ""
    last = frames[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return place if last.name == "<module>" else f"{place} in {last.name}"


def frames(error: BaseException) -> str:
    """The traceback of what the user's code raised, with the user's frames only."""
    raised = error.__cause__ if isinstance(error, LayerRaised) and error.__cause__ else error
    whole = traceback.TracebackException.from_exception(raised)
    todo: list[traceback.TracebackException | None] = [whole]
    while todo:
        if part := todo.pop():
            part.stack = traceback.StackSummary.from_list(_theirs(part.stack))
            todo += [part.__cause__, part.__context__, *(part.exceptions or ())]
    return "".join(whole.format())


def raised_by_code(error: KeyboardInterrupt) -> bool:
    """Whether a statement raised it.  That of a person's Ctrl-C arrives between any two instructions."""
    return _is_raise(list(_steps(error))[-1:])


def raised_here(error: BaseException) -> bool:
    """Whether a statement of the user's own raised it."""
    return _is_raise([step for step in _steps(error) if not in_library(step.tb_frame.f_code.co_filename)][-1:])


def _steps(error: BaseException) -> Iterator[TracebackType]:
    step = error.__traceback__
    while step is not None:
        yield step
        step = step.tb_next


def _is_raise(last: list[TracebackType]) -> bool:
    return any(dis.opname[step.tb_frame.f_code.co_code[step.tb_lasti]].startswith("RAISE") for step in last)


class Missing(ModuleNotFoundError):  # noqa: N818, it names what happened
    """The user's code computes with what stands in for a module that is not there."""


class Unrunnable(LayerRaised):
    """The layer cannot be run here, and that is no mistake of its own; the message says why."""


def reached(error: BaseException) -> int:
    """The line that the outermost of the user's functions had come to."""
    frames = _theirs(traceback.extract_tb(error.__traceback__))
    return (frames[0].lineno or 0) if frames else 0


@contextlib.contextmanager
def guarded(name: str) -> Iterator[None]:
    """Turns whatever the user's code raises within into ``LayerRaised``; ``name`` says whose code it is."""
    try:
        yield
    except (BadInput, LayerRaised):
        raise
    except KeyboardInterrupt as error:
        if not raised_by_code(error):
            raise
        raise LayerRaised(_place(error, name)) from error
    except Missing as error:
        raise Unrunnable(f"{where(error) or name}: {error}") from error
    except NotImplementedError as error:
        raise NotImplementedByLayer(_place(error, name)) from error
    except (Exception, SystemExit) as error:
        if said := blamed(error):
            raise Unrunnable(f"{where(error) or name}: {said} ({one_line(error)})") from error
        raise LayerRaised(_place(error, name)) from error


def _place(error: BaseException, name: str) -> str:
    return f"{where(error) or name}: {one_line(error)}"


# ---- imports ----


def is_users(module: ModuleType | None) -> bool:
    """Whether a module is neither Python's nor an installed package's nor ours."""
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", None) or ())
    return bool(places) and all(is_users_file(str(place)) for place in places)


def is_users_file(path: str) -> bool:
    return not in_library(path) and not _is_ours(path)


class Workshop:
    """Where the user's modules are imported.  What they change in the interpreter is undone on the way out.

    Their modules are kept, not forgotten: an import inside a function is met with the same ones at every entry.
    """

    def __init__(self, first: list[str], last: list[str], script: str) -> None:
        self.first, self.last, self.script = first, last, script
        self.modules: dict[str, ModuleType] = {}
        self.finders: list[Any] = []
        """They are asked for a module before Python's own."""
        self.depth = 0

    @property
    def paths(self) -> list[str]:
        return [*self.first, *self.last]

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        if self.depth:
            yield
            return
        self.depth += 1
        try:
            with quiet(), np.printoptions(), _interpreter(), _randomness(), self._own_modules():
                sys.path[:] = [*self.first, *sys.path, *self.last]
                sys.meta_path[:] = [*self.finders, *sys.meta_path]
                sys.argv[:] = [self.script]
                yield
        finally:
            self.depth -= 1

    @contextlib.contextmanager
    def _own_modules(self) -> Iterator[None]:
        before = dict(sys.modules)
        sys.modules.update(self.modules)
        try:
            yield
        finally:
            self.modules = {
                name: module
                for name, module in sys.modules.items()
                if is_users(module) and before.get(name) is not module
            }
            for name in self.modules:
                del sys.modules[name]
            for name, module in before.items():
                sys.modules.setdefault(name, module)


def hide(top: str) -> None:
    """Makes way for a package of the user's, where another one of its name is loaded."""
    for name in [name for name in sys.modules if name == top or name.startswith(top + ".")]:
        del sys.modules[name]


@contextlib.contextmanager
def _interpreter() -> Iterator[None]:
    path, argv, folder, environment = sys.path[:], sys.argv[:], Path.cwd(), dict(os.environ)
    finders = sys.meta_path[:]
    bytecode, stdin, hook = sys.dont_write_bytecode, sys.stdin, sys.excepthook
    # A demo must neither open a window nor wait for a key, and no cache is written beside the user's files.
    os.environ["MPLBACKEND"] = "Agg"
    sys.stdin, sys.dont_write_bytecode = io.StringIO(), True
    try:
        with contextlib.redirect_stderr(vars(sys)["stderr"]):
            yield
    finally:
        sys.dont_write_bytecode, sys.stdin, sys.excepthook = bytecode, stdin, hook
        sys.path[:], sys.argv[:], sys.meta_path[:] = path, argv, finders
        os.chdir(folder)
        for key in set(os.environ) - set(environment):
            del os.environ[key]
        os.environ.update(environment)


@contextlib.contextmanager
def _randomness() -> Iterator[None]:
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002, what a demo seeds is the old generator
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)  # noqa: NPY002
