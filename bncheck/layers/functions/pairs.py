"""Which functions of a file belong together as forward and backward of batch normalization: by their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from bncheck.layers.functions.binding import Function
from bncheck.layers.functions.naming import DICTS, plain, role_of
from bncheck.layers.functions.source import Source
from bncheck.layers.functions.split import Part, name_of, parts_in, together


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NORMS = _words("batchnorm bn bnorm batchnormalization batchnormalisation batchnormalize batchnormalise")
FORWARD = _words("forward fwd fprop train training fp")
BACKWARD = _words(
    "backward backwards bwd bprop back backprop backpropagate backpropagation grad grads gradient gradients derivative "
    "derivatives derive deriv vjp bp"
)
INFERENCE = _words("inference infer test testing eval predict")
IMAGES = _words("spatial 2d image images cnn nchw nhwc")
OTHERS = _words(
    "layer layernorm ln instance instancenorm in group groupnorm gn weightnorm affine relu lrelu conv fc linear "
    "dropout softmax loss init initialize param params update check numerical plot compare running stats statistics "
    "get set build create make run demo main net network block sigmoid tanh pool time benchmark optimizer"
)


_RUN_TOGETHER = re.compile(r"batchnorm_*(forward|fwd|fprop|backward|backprop|back|bwd|bprop|grad|gradient)", re.I)
"""batchnormforward, in which no capital and no underscore tells the parts."""


class Pair(NamedTuple):
    name: str
    """That of the function it is told apart by."""
    forward_name: str
    forward: Function
    backward_name: str = ""
    backward: Function | None = None
    inference_name: str = ""
    inference: Function | None = None
    image: bool = False
    parts: tuple[Part, ...] = ()
    """The backward pass as several functions; ``backward`` is then all of them."""
    surmised: bool = False
    """Nothing in its name says that the backward pass is this forward's: it is, if it can be called."""
    unchecked: tuple[str, ...] = ()
    """What may be its backward pass, by name, and has not been taken for it."""

    @property
    def members(self) -> tuple[str, ...]:
        first = self.name == self.forward_name
        return (self.forward_name, self.backward_name, self.inference_name) if first else (self.backward_name,)

    @property
    def functions(self) -> dict[str, Function | None]:
        named = (self.forward_name, self.backward_name, self.inference_name)
        made = dict[str, Function | None](zip(named, (self.forward, self.backward, self.inference), strict=True))
        return made | {part.name: part.function for part in self.parts}


class Member(NamedTuple):
    name: str
    norm: bool
    part: str
    """forward, backward or inference; "" where the name does not say."""
    variant: frozenset[str]
    """What else its name says: alt, naive, 2."""

    @property
    def image(self) -> bool:
        return bool(self.variant & IMAGES)


def member(name: str) -> Member:
    joined = _RUN_TOGETHER.sub(r"batchnorm_\1", re.sub(r"[bB]atch_*[nN]orm", "batchnorm", name))
    tokens = [token.lower() for token in re.findall(r"\d+[dD]?|[A-Z]+(?![a-z])|[A-Z]?[a-z]+", joined)]
    if tokens and tokens[0][:1] == "d" and tokens[0][1:] in NORMS:
        tokens = ["backward", tokens[0][1:], *tokens[1:]]
    if tokens[:1] == ["d"] and tokens[1:2] and tokens[1] in NORMS:
        tokens = ["backward", *tokens[1:]]
    part = ""
    for kind, words in (("forward", FORWARD), ("inference", INFERENCE), ("backward", BACKWARD)):
        if words.intersection(tokens):
            part = kind
    rest = frozenset(tokens) - NORMS - FORWARD - BACKWARD - INFERENCE - {"1d"}
    unit_test = tokens[:1] == ["test"]
    return Member(name, bool(NORMS.intersection(tokens)), part, rest | {"check"} if unit_test else rest)


def pairs(names: dict[str, object], source: Source, wanted: str | None) -> list[Pair]:
    """In the order of the file; of one forward with several backwards, each is a pair."""
    functions = {name: one for name, one in names.items() if _is_function(one)}
    parts = parts_in({name: _function(names, name) for name in functions})
    apart = {part.name for part in parts}
    members = _members({name: one for name, one in functions.items() if name not in apart}, source, wanted)
    backwards = [one for one in members if one.part == "backward"]
    forwards = _forwards(members, bool(backwards or parts))
    inferences = [one for one in members if one.part == "inference"]
    matched = {one: _nearest(one, forwards) for one in backwards}
    made = list[Pair]()
    for forward in forwards:
        theirs = [one for one, nearest in matched.items() if nearest == forward]
        theirs.sort(key=lambda one: one.variant != forward.variant)
        test = _nearest(forward, inferences)
        base = Pair(forward.name, forward.name, _function(names, forward.name), image=forward.image)
        if test is not None:
            base = base._replace(inference_name=test.name, inference=_function(names, test.name))
        for backward in theirs:
            name = forward.name if backward is theirs[0] else backward.name
            made.append(base._replace(name=name, backward_name=backward.name, backward=_function(names, backward.name)))
        made += [] if theirs else [base]
    made = _completed(made, parts, [one for one in backwards if not matched[one]], names, source)
    return [pair for pair in made if wanted is None or wanted in pair.members]


def _forwards(members: list[Member], has_backward: bool) -> list[Member]:
    forwards = [one for one in members if one.part == "forward"]
    unsaid = [one for one in members if not one.part]
    forwards += [] if forwards else [one for one in unsaid if one.variant <= IMAGES]
    return forwards or (unsaid if has_backward else [])


def _completed(
    made: list[Pair], parts: tuple[Part, ...], left: list[Member], names: dict[str, object], source: Source
) -> list[Pair]:
    """With a backward pass for a forward that is alone in having none: of what speaks of one and is no other's."""
    alone = [pair for pair in made if pair.backward is None]
    if len(alone) != 1:
        return [pair._replace(unchecked=tuple(one.name for one in left)) if pair in alone else pair for pair in made]
    found = alone[0]
    plain_ones = [one for one in map(member, names) if one.part == "backward" and not one.norm and not one.variant]
    likely = [one for one in (*left, *plain_ones) if _is_function(names[one.name])]
    if parts:
        whole = together(parts, source.returned)
        found = found._replace(backward_name=name_of(parts), backward=whole, parts=parts, surmised=True)
    elif likely:
        one = likely[0].name
        found = found._replace(backward_name=one, backward=_function(names, one), surmised=True)
    said = [part.name for part in parts] if parts else [one.name for one in left]
    return [found._replace(unchecked=tuple(said)) if pair is alone[0] else pair for pair in made]


def _is_function(one: object) -> bool:
    return callable(one) and not isinstance(one, type)


def _function(names: dict[str, object], name: str) -> Callable[..., Any]:
    found = names[name]
    assert callable(found)
    return found


def _members(functions: dict[str, object], source: Source, wanted: str | None) -> list[Member]:
    everyone = [one for one in map(member, functions) if not one.variant & OTHERS]
    norms = [one for one in everyone if one.norm]
    asked = next((one for one in everyone if one.name == wanted and not one.norm), None)
    if asked is not None:
        norms = [one for one in everyone if not one.norm and one.variant == asked.variant]
    elif not norms:
        norms = [one for one in everyone if one.part and not one.variant]
    if norms and all(one.norm and one.part == "backward" for one in norms) and wanted is None:
        # The forward of a pair may be called after what it is made with.
        others = [one for one in everyone if one.part == "forward" and not one.norm]
        norms += [one for one in others if _is_scaled(one.name, source)][:1]
    named = bool(norms) and norms[0].norm
    return [one for one in norms if named or one.part == "backward" or _is_scaled(one.name, source)]


def _is_scaled(name: str, source: Source) -> bool:
    """Takes gamma and beta, as a function must that does not say of itself what it is."""
    words = source.parameters(name)
    for word in words:
        words = [*words, *source.uses(name, word).keys] if plain(word) in DICTS.split() else words
    return {"gamma", "beta"} <= set(map(role_of, words))


def _nearest(one: Member, others: list[Member]) -> Member | None:
    """The other part of the same thing; an image's never stands in for a table's."""
    alike = [other for other in others if other.image == one.image]
    return min(alike, key=lambda other: len(other.variant ^ one.variant), default=None)
