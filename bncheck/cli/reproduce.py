"""--reproduce: a finding as a small test of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from bncheck.cli.speech import say

if TYPE_CHECKING:
    from bncheck.layers.protocol import Layer
    from bncheck.report import Report


def reproduce_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--reproduce",
        type=click.Path(dir_okay=False),
        metavar="FILE.py",
        help="Write a pytest file with the smallest batch that shows the first error found; it needs no bncheck.",
    )(command)


def write_reproduction(path: str, target: str, checked: Iterable[tuple[Layer, Report]], quiet: bool) -> None:
    """The first error that can be shown, as a test; why not, for those before it."""
    from bncheck.checks.reproduction import errors
    from bncheck.errors import Unspelled

    _spare(path, target)
    tell = (lambda _: None) if quiet else say
    found = [(layer, report, finding) for layer, report in checked for finding in errors(report)]
    if not found:
        tell(f"nothing is wrong, so there is nothing to reproduce: {path} was not written")
    for layer, report, finding in found:
        what = f"{finding.code} of {layer.name} ({finding.quantity})"
        try:
            size = _write(path, target, layer, report, finding)
        except Unspelled as why:
            tell(f"{what} was not written to {path}: {why}")
            continue
        tell(f"{what} is shown by a batch of {size}: pytest {path}")
        return


def _spare(path: str, target: str) -> None:
    """The layer's own file is the last that should be written over."""
    from bncheck.errors import BadInput
    from bncheck.layers.loading.origin import origin_of

    file = origin_of(target).file
    if file and os.path.realpath(path) == os.path.realpath(file):
        raise BadInput(f"--reproduce {path} is the file that the layer is in: name another")


def _write(path: str, target: str, layer: Layer, report: Report, finding: Any) -> str:
    from bncheck import writing
    from bncheck.checks.replay import must_fail
    from bncheck.checks.reproduction import reproduce
    from bncheck.layers.loading.origin import origin_of
    from bncheck.render import as_pytest

    found = reproduce(layer, report, finding)
    where = os.path.realpath(path)
    text = as_pytest.render(found, origin_of(target), os.path.dirname(where))  # noqa: PTH120
    must_fail(text, where, finding.code)
    writing.write(path, text.encode())
    return f"{found.n} by {found.d}"
