"""A class as it is used: the text of making an instance and of its passes."""

from __future__ import annotations

from typing import Any

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.errors import Unspelled
from bncheck.layers import conventions as names
from bncheck.layers.classes.carried import is_carried
from bncheck.layers.classes.excuses import running
from bncheck.layers.classes.gradients import attribute
from bncheck.layers.classes.instances import NOWHERE, Recorder, Slot, attributes, get, leaves
from bncheck.layers.classes.layer import ClassLayer, ClassPass
from bncheck.layers.classes.layouts import channels_of, to_layer
from bncheck.layers.classes.methods import Arguments, parameters
from bncheck.layers.classes.neighbours import Activation, LayerBefore, Regularizer
from bncheck.layers.classes.plan import RATE
from bncheck.layers.protocol import Call, Spelled
from bncheck.layers.writing_down import Text, call, literal, place_of, places, steps
from bncheck.vocabulary import Mode

_LENT = (Recorder, Regularizer, Activation, LayerBefore)


def spell(layer: ClassLayer, calls: tuple[Call, ...], dout: Array | None) -> Spelled:
    if layer.plan.bare:
        raise Unspelled(f"gamma and beta are applied to what {layer.plan.name} returns")
    if is_carried(layer.plan.recipe.kind):
        raise Unspelled("its passes take no arrays")
    if any(slot.is_history for slot in layer.plan.slots.values()):
        raise Unspelled("its statistics are means over all batches that it has seen")
    return _Speller(layer, calls, dout).spelled()


class _Speller:
    def __init__(self, layer: ClassLayer, calls: tuple[Call, ...], dout: Array | None) -> None:
        self.layer, self.plan, self.calls, self.dout = layer, layer.plan, calls, dout
        self.lines: list[str] = []
        self.results: dict[str, str | None] = {}
        layout = self.plan.recipe.layout
        self.arrays = {"x": to_layer(calls[-1].x, layout)}
        if len(calls) > 1:
            self.arrays["earlier"] = to_layer(calls[0].x, layout)
        if dout is not None:
            self.arrays["dout"] = to_layer(dout, layout)

    def spelled(self) -> Spelled:
        state: object = None
        self._make(self.calls[0])
        for i, each in enumerate(self.calls):
            made = self.layer.forward(each, state)
            last = i == len(self.calls) - 1
            if last and i:
                self._hold_statistics()
            self._forward(made, "x" if last else "earlier")
            state = made.state
        for role in ("mean", "var"):
            if role in self.plan.slots and not self.plan.backs:
                self.results[f"running_{role}"] = _label(self.plan.slots[role], made.instance)
        if self.dout is not None:
            self._backward(made, self.dout)
        found = {name: text for name, text in self.results.items() if text is not None}
        return Spelled(tuple(self.lines), found, self.arrays, channels_of(self.plan.recipe.layout))

    # ---- an instance ----

    def _make(self, first: Call) -> None:
        plan, d = self.plan, first.x.shape[1]
        recipe, raw = plan.recipe, plan.raw(first.settings)
        instance = self.layer._template(d, first.settings)
        held = (value for _, value in leaves(instance))
        if any(isinstance(value, _LENT) for value in (*held, *recipe.arguments(d, raw).values())):
            raise Unspelled("it works with an optimizer, or another object of the network around it")
        self.lines.append(f"layer = {call(f'module.{plan.name}', (), recipe.arguments(d, raw).items())}")
        if recipe.prepared:
            with running(plan, ""):
                new = recipe.kind(**recipe.arguments(d, raw))
            self.lines += [f"layer.{name} = {literal(value)}" for name, value in recipe.shapes(new, d).items()]
            told = recipe.preparations(new, d, raw)
            self.lines += [call(f"layer.{one.method}", one.given, one.named.items()) for one in told]
        if plan.warm:
            self.lines.append(f"layer.{plan.forward}(x)  # makes the parameters")
        for role, value in (("gamma", first.gamma), ("beta", first.beta)):
            self.arrays[role] = value.copy()
            if role in plan.slots:
                self._write(plan.slots[role], role, value, instance)
        if first.running is not None:
            for role, value in zip(("mean", "var"), first.running, strict=True):
                self._write(plan.slots[role], f"running_{role}", value, instance)
        for role, number in (("eps", first.settings.eps), ("momentum", plan.momentum(first.settings))):
            paths = plan.slots[role].paths if role in plan.slots else ()
            self.lines += [
                f"layer{steps(path, instance)} = {literal(number)}"
                for path in paths
                if _differs(instance, path, number)
            ]

    def _write(self, slot: Slot, name: str, value: Array, instance: Any) -> None:
        self.arrays[name] = value.reshape(slot.pattern) if slot.pattern is not None else value.copy()
        for path in slot.paths:
            if isinstance(get(instance, path[:-1]), tuple):
                raise Unspelled("it keeps its parameters in a tuple")
            owner, key = get(instance, path[:-1]), path[-1][1]
            if isinstance(owner, dict) and key not in owner:
                raise Unspelled("each of its instances calls its parameters otherwise")
        self.lines.append(" = ".join([*(f"layer{steps(path)}" for path in slot.paths), f"{name}.copy()"]))

    # ---- its passes ----

    def _hold_statistics(self) -> None:
        for role in ("mean", "var"):
            if role in self.plan.slots:
                self.lines.append(f"old_{role} = np.array(layer{steps(self.plan.slots[role].paths[0])})")
                self.results[f"old_{role}"] = f"old_{role}"

    def _forward(self, made: ClassPass, x: str) -> None:
        plan, switch = self.plan, self.plan.switch
        training = made.call.settings.mode is Mode.TRAIN
        setting = switch.train if training else switch.test
        if switch.kind in ("attribute", "entry"):
            where = steps(switch.path) if switch.kind == "entry" else f".{switch.name}"
            self.lines.append(f"layer{where} = {literal(setting)}")
        elif switch.kind == "answer":
            self.lines.append(f"layer.{switch.name} = lambda: {literal(setting)}")
        elif switch.kind == "methods" and setting:
            self.lines.append(f"layer.{setting}()")
        name = setting if switch.kind == "pair" else plan.forward
        bare = switch.kind == "pair" and not training
        settings = made.call.settings
        values = {"x": Text(x), "gamma": Text("gamma"), "beta": Text("beta"), "switch": setting, "index": plan.index}
        values |= {"eps": settings.eps, "momentum": plan.momentum(settings)}
        if plan.handed.x and not bare:
            self.lines.append(f"layer{steps(plan.handed.x)} = {x}.copy()")
        roles = Arguments(()) if bare else plan.forward_arguments
        self.lines.append(f"{self._targets(made)} = {self._call(name, roles, values, 'x')}".removeprefix(" = "))
        if x == "x":
            self.results["out"] = self._out(made)

    def _targets(self, made: ClassPass) -> str:
        if made.result is None:
            return ""
        if not isinstance(made.result, tuple):
            return "out"
        rest = [f"rest{i}" for i in range(len(made.result) - 1)] if len(made.result) != 2 else ["cache"]
        return ", ".join(["out", *rest])

    def _out(self, made: ClassPass) -> str | None:
        if made.result is not None:
            return "out"
        found = attribute(made.instance, names.OUTPUTS)
        return place_of(found, ((f"layer.{name}", value) for name, value in attributes(made.instance).items()))

    def _call(self, method: str, arguments: Arguments, values: dict[str, Any], main: str) -> str:
        if not arguments.roles and not arguments.without_data:
            return call(f"layer.{method}", (values[main],), ())
        first = next((p.name for p in parameters(getattr(self.plan.recipe.kind, method)) if p.name != "self"), None)
        given = [(name, values.get(role)) for name, role in arguments.roles]
        plainly = bool(given) and given[0][0] == first and arguments.roles[0][1] == main
        return call(f"layer.{method}", (v for _, v in given[:plainly]), given[plainly:])

    def _backward(self, made: ClassPass, dout: Array) -> None:
        plan = self.plan
        if plan.turned:
            raise Unspelled("its gradients are laid out otherwise than x is")
        if plan.shows:
            raise Unspelled(f"its gradients are asked of {plan.shows}() after its backward pass")
        found, result = made.run_backward(dout)
        values: dict[str, Any] = {role: Text(role) for role in ("dout", "x", "gamma", "beta", "grads")}
        values |= {
            "switch": plan.switch.train,
            "lr": RATE,
            "eps": made.call.settings.eps,
            "index": plan.index,
        } | self._caches(made)
        if plan.backward_arguments.has("optimizer"):
            raise Unspelled("its backward pass asks for an optimizer")
        self.lines += [f"layer{steps(path)} = {literal(RATE)}" for path in plan.rates]
        if plan.handed.dout:
            self.lines.append(f"layer{steps(plan.handed.dout)} = dout.copy()")
        if plan.backward_arguments.has("grads"):
            self.lines.append("grads = {}")
        name = self._call(str(plan.backward), plan.backward_arguments, values, "dout")
        parts = found.parts(result)
        inside = [
            *places(result, "result"),
            *places(found.grads, "grads"),
            *((f"layer{steps(path)}", v) for path, v in leaves(found.instance)),
        ]
        wanted = {role: parts[role] for role in Gradients._fields if parts.get(role) is not None}
        where = {role: place_of(value, inside) for role, value in wanted.items()}
        if plan.steps:
            held = {role: plan.slots[role[1:]].paths[0] for role in where if role[1:] in plan.slots}
            where |= {
                r: f"({r[1:]} - layer{steps(path)}) / {plan.rate:g}" for r, path in held.items() if where[r] is None
            }
        self._take(result, name, where)

    def _take(self, result: Any, said: str, where: dict[str, str | None]) -> None:
        """What the backward pass returns, under the names of the gradients where it is nothing but these."""
        parts = [f"result[{i}]" for i in range(len(result))] if isinstance(result, tuple) else ["result"]
        roles = {text: role for role, text in where.items()}
        known = [roles.get(part, "") for part in parts]
        if (not all(known) and len(known) > 1) or isinstance(result, list | dict):
            self.lines.append(f"result = {said}")
        else:
            self.lines.append(f"{', '.join(known)} = {said}".removeprefix(" = "))
            where |= {role: role for role in known if role}
        self.results |= where

    def _caches(self, made: ClassPass) -> dict[str, Any]:
        """What the backward pass may be handed of the forward pass's results, by name."""
        if isinstance(made.result, tuple):
            rest = [Text(name) for name in self._targets(made).split(", ")[1:]]
            return {"cache": rest[0] if len(rest) == 1 else tuple(rest)} | {f"rest{i}": t for i, t in enumerate(rest)}
        held = [(f"layer.{name}", value) for name, value in attributes(made.instance).items()]
        kept = [Text(place) for one in made.cache if (place := place_of(one, held))]
        return {"cache": kept[0], "rest0": kept[0]} if kept else {}


def _label(slot: Slot, instance: Any) -> str | None:
    return None if slot.read(instance) is None else f"layer{steps(slot.paths[0])}"


def _differs(instance: Any, path: names.Path, number: float) -> bool:
    try:
        return bool(get(instance, path) != number)
    except NOWHERE:
        return False
