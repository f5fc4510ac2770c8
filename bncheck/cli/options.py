"""The options that commands share, and what they turn into.  Loads nothing heavy before it must."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from bncheck import render
from bncheck.cli import completion
from bncheck.cli.progress import ProgressBar
from bncheck.cli.size import Size
from bncheck.cli.speech import say
from bncheck.vocabulary import Coverage, Mode

if TYPE_CHECKING:
    from bncheck.batch import Batch
    from bncheck.layers.protocol import Layer
    from bncheck.settings import CheckSettings, LayerSettings

Command = Callable[..., Any]
_GENERATING = ("n", "d", "scale", "offset")


class BatchOptions(NamedTuple):
    """Where the batch comes from."""

    batch: str | None
    n: int
    d: int
    seed: int
    scale: float
    offset: float
    dtype: str | None
    channel_axis: int | None
    memory: int | None

    def get(self) -> Batch:
        """The batch read or generated.  Raises BadInput."""
        from bncheck import batch as batches

        if self.batch is None:
            return batches.generate(self.n, self.d, self.seed, self.scale, self.offset, self.dtype)
        from bncheck import reading

        contents = reading.read_batch(self.batch, sys.stdin.buffer)
        if contents.mapped:
            from bncheck import large, memory

            budget = memory.budget(self.memory)
            if budget is not None and not large.fits(contents.arrays["x"], budget):
                x = contents.arrays["x"]
                return large.on_disk(x, contents.source, budget=budget, seed=self.seed, dtype=self.dtype)
        return batches.assemble(
            contents.arrays,
            seed=self.seed,
            dtype=self.dtype,
            channel_axis=self.channel_axis,
            source=contents.source,
            columns=contents.columns,
        )


class LayerOptions(NamedTuple):
    """How the layer is configured, and where its running statistics come from."""

    mode: str
    eps: float
    momentum: float
    stats: str | None
    warmup: int
    impl: str | None

    def layer(self) -> Layer | None:
        """The layer named, or None for the reference.  Raises BadInput unless exactly one is found."""
        if self.impl is None:
            return None
        from bncheck.errors import BadInput
        from bncheck.layers.resolve import resolve

        resolved = resolve(self.impl)
        for note in resolved.notes:
            say(note)
        if len(resolved.layers) > 1:
            names = ", ".join(layer.name for layer in resolved.layers)
            raise BadInput(f"{self.impl} holds several layers, {names}: name one of them")
        return resolved.layers[0]

    def settings(self) -> LayerSettings:
        from bncheck.settings import LayerSettings

        return LayerSettings(Mode(self.mode), self.eps, self.momentum)

    def prepare(self, batch: Batch, origin: BatchOptions, out: OutputOptions) -> Batch:
        """The batch with the running statistics that the mode needs: --stats, its own, or warmed up."""
        from bncheck import batch as batches

        if self.stats is not None:
            from bncheck import reading

            return batches.with_running(batch, *reading.read_statistics(self.stats))
        if self.mode == Mode.TRAIN:
            return batch
        drawn = origin.batch is None
        population = batches.Population(origin.d, origin.seed, origin.scale, origin.offset) if drawn else None
        with ProgressBar("warm-up batches", out.quiet) as progress:
            return batches.warm_up(batch, self.warmup, self.momentum, population, progress)


class EvidenceOptions(NamedTuple):
    """What a verdict may rest on."""

    probes: bool
    strict: bool
    coverage: str
    confidence: float

    def check(self, **others: Any) -> CheckSettings:
        from bncheck.settings import CheckSettings

        own = {**self._asdict(), "coverage": Coverage(self.coverage)}
        return CheckSettings(**others, **own)


class OutputOptions(NamedTuple):
    """How results are shown, and where."""

    format: str | None
    output: str | None
    quiet: bool
    verbose: bool


def batch_options(command: Command) -> Command:
    options = (
        click.argument("batch", required=False, type=click.Path(allow_dash=True)),
        click.option("--n", type=click.IntRange(min=1), default=64, show_default=True, help="Rows to generate."),
        click.option("--d", type=click.IntRange(min=1), default=10, show_default=True, help="Columns to generate."),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Of everything that is generated: the batch, or what a file leaves out.",
        ),
        click.option(
            "--scale", type=float, default=1.0, show_default=True, help="Typical spread of a generated column."
        ),
        click.option(
            "--offset", type=float, default=0.0, show_default=True, help="Mean that generated columns lie around."
        ),
        click.option(
            "--dtype",
            type=click.Choice(["float16", "float32", "float64"]),
            help="What the layer computes in.  [default: the dtype of the batch]",
        ),
        click.option("--channel-axis", type=int, help="The axis of the channels: 1 for (N, C, H, W)."),
        click.option(
            "--memory",
            type=Size(),
            metavar="SIZE",
            help="What a large .npy may take, such as 2GiB; beyond that it is worked on in blocks.  [half of all]",
        ),
    )
    return gather(command, options, BatchOptions, "origin", _refuse_generating)


def layer_options(command: Command) -> Command:
    options = (
        click.option(
            "--mode",
            type=click.Choice([m.value for m in Mode]),
            default=Mode.TRAIN.value,
            show_default=True,
            help="Statistics of the batch (train) or running ones (test).",
        ),
        click.option("--eps", type=float, default=1e-5, show_default=True, help="Added to the variance."),
        click.option(
            "--momentum",
            type=float,
            default=0.9,
            show_default=True,
            help="Share of the running statistics kept at each step.",
        ),
        click.option(
            "--stats",
            type=click.Path(),
            metavar="FILE",
            help="Running statistics, as forward --save-stats wrote them.",
        ),
        click.option(
            "--warmup",
            type=click.IntRange(min=0),
            default=100,
            show_default=True,
            help="Training batches that make the running statistics where test mode is given none.",
        ),
        click.option(
            "--impl",
            metavar="LAYER",
            shell_complete=completion.files,
            help="The layer to run: file.py, file.py:name, package.module:Name.  [reference]",
        ),
    )
    return gather(command, options, LayerOptions, "layer")


def evidence_options(command: Command) -> Command:
    options = (
        click.option(
            "--probes/--no-probes",
            default=True,
            help="Where BATCH cannot show a known mistake, check one of bncheck's own beside it.  [default: probes]",
        ),
        click.option("--strict", is_flag=True, help="Call it blind (exit 3) if any known mistake would go unseen."),
        click.option(
            "--coverage",
            type=click.Choice([c.value for c in Coverage]),
            default=Coverage.AUTO.value,
            show_default=True,
            help="Check every entry of dx (full), or every column along random directions (projected); auto takes full "
            "while that needs about a second.",
        ),
        click.option(
            "--confidence",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            default=0.99,
            show_default=True,
            help="With which a projected check sees a column with several wrong entries.",
        ),
    )
    return gather(command, options, EvidenceOptions, "evidence")


def output_options(formats: tuple[str, ...], default: str = "table") -> Callable[[Command], Command]:
    options = (
        click.option(
            "--format",
            type=click.Choice(formats),
            help=f"[default: what the name of --output says, or {default}]",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False, allow_dash=True),
            metavar="FILE",
            help="Write there, whole or not at all.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing: the exit code says it."),
        click.option("-v", "--verbose", is_flag=True, help="Say how the numbers came about."),
    )
    return lambda command: gather(command, options, OutputOptions, "out", _refuse_format(formats))


def gather(
    command: Command,
    options: tuple[Callable[[Command], Command], ...],
    kind: Any,
    name: str,
    check: Callable[[Any], None] | None = None,
) -> Command:
    """Adds the options and hands them to the command as one value, under one name."""
    own = kind._fields

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        value = kind(**{key: given.pop(key) for key in own})
        if check is not None:
            check(value)
        return command(**given, **{name: value})

    wrapped: Command = gathered
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def _refuse_generating(origin: BatchOptions) -> None:
    if origin.batch is None:
        if origin.channel_axis is not None:
            raise click.UsageError("--channel-axis describes a BATCH, and a generated one has none")
        return
    context = click.get_current_context()
    for name in _GENERATING:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name} is for a generated batch: leave it out, or leave out {origin.batch}")


def _refuse_format(formats: tuple[str, ...]) -> Callable[[OutputOptions], None]:
    def refuse(out: OutputOptions) -> None:
        asked = render.format_of(out.output) if out.output and out.format is None else None
        if asked and asked not in formats:
            raise click.UsageError(f"{out.output}: this command does not write {asked}; name a --format")

    return refuse
