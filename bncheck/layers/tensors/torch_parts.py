"""What an object over PyTorch's tensors holds of a layer, and what of anything else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from bncheck.errors import LayerRaised
from bncheck.layers.conventions import role_of
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.tensors.arrays import spread
from bncheck.layers.tensors.torch_autograd import copied, home_of, torch, walk


def places_of(thing: Any, width: int, idle: Collection[int] = ()) -> dict[str, str]:
    """The names under which gamma, beta and the running statistics stand; those that say it best.

    ``idle`` are the ids of parameters that are none of these.
    """
    found: dict[str, tuple[int, str]] = {}
    for _, key, value in walk(thing):
        meaning = role_of(key)
        if meaning is None or meaning.role not in ("gamma", "beta", "mean", "var") or id(value) in idle:
            continue
        fits = isinstance(value, torch().Tensor) and value.numel() == width
        empty = value is None or isinstance(value, int | float) or getattr(value, "shape", None) == ()
        if fits or (empty and meaning.rank == 0 and meaning.role in ("mean", "var")):
            found[meaning.role] = min(found.get(meaning.role, (99, "")), (meaning.rank, key))
    named = {role: key for role, (_, key) in found.items()}
    return _by_start(thing, width, named, idle) | named


def _by_start(thing: Any, width: int, named: dict[str, str], idle: Collection[int]) -> dict[str, str]:
    """What the names do not say: gamma and the variance start at ones, beta and the mean at zeros.

    Of two parameters or of two other tensors, that is, which are not known for something else.
    """
    parameter = torch().nn.Parameter
    held = {key: v for _, key, v in walk(thing) if isinstance(v, torch().Tensor) and v.numel() == width}
    held = {key: v for key, v in held.items() if id(v) not in idle}
    found: dict[str, str] = {}
    for roles, learnt in ((("gamma", "beta"), True), (("var", "mean"), False)):
        taken = {key for role, key in named.items() if role not in roles}
        left = {key: v for key, v in held.items() if key not in taken and isinstance(v, parameter) is learnt}
        starts = [[key for key, v in left.items() if bool((v == start).all())] for start in (1, 0)]
        told = {role: keys[0] for role, keys in zip(roles, starts, strict=True) if len(keys) == 1}
        if len(left) == 2 and len(told) == 2 and all(named.get(role, key) == key for role, key in told.items()):
            found |= told
    return found


def is_network(thing: Any, width: int, places: dict[str, str], idle: Collection[int] = ()) -> bool:
    """Whether it learns more than one gamma and one beta, as a network does.

    Running statistics that are parameters are not learnt, and what is ``idle`` has no say in the output.
    """
    kept = {places.get("mean"), places.get("var")}
    learnt = {id(v): v for key, v in parameters_of(thing) if v.requires_grad and key not in kept and id(v) not in idle}
    return len(learnt) > 2 or any(one.numel() != width for one in learnt.values())


def parameters_of(thing: Any) -> list[tuple[str, Any]]:
    """Each with the name under which it stands."""
    return [(key, v) for _, key, v in walk(thing) if isinstance(v, torch().nn.Parameter)]


def idle_in(thing: Any, width: int, layout: str) -> dict[int, str]:
    """The parameters that a pass of x alone does not go through, by id; none where there is no such pass.

    Such are those of a context that may be left out.  A name that others in use have as well is no name.
    """
    learnt = [(key, one) for key, one in parameters_of(thing) if one.requires_grad]
    twin = copied(thing)
    twins = [one for _, one in parameters_of(twin) if one.requires_grad]
    x = torch().randn(*spread(np.empty((24, width)), layout).shape, generator=torch().Generator().manual_seed(0))
    try:
        with guarded(""), quiet():
            out = twin(x.to(home_of(thing)))
            found = torch().autograd.grad(out.sum(), twins, allow_unused=True)
    except LayerRaised:
        return {}
    idle = {id(one): key for (key, one), gradient in zip(learnt, found, strict=True) if gradient is None}
    used = {key for key, one in learnt if id(one) not in idle}
    return idle if not used & set(idle.values()) else {}
