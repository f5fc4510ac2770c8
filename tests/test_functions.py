"""NumPy function pairs, as people write them: found by name, called by role, read by role."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck import batchnorm
from bncheck.batchnorm import Gradients, Statistics
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.functions.finding import find
from bncheck.layers.functions.layer import FunctionLayer
from bncheck.layers.functions.layouts import image
from bncheck.layers.functions.traits import sample
from bncheck.layers.isolation import Unrunnable
from bncheck.layers.loading.files import load
from bncheck.layers.protocol import Call
from bncheck.vocabulary import Mode

FOLDER = Path(__file__).parent / "layers"
MANIFEST = [entry for entry in json.loads((FOLDER / "manifest.json").read_text()) if entry["kind"] == "functions"]
# By the parameter each file writes out: what it uses where it takes no eps.
OWN_EPS = {"fn_02.py": 1e-8, "fn_03.py": 1e-8, "fn_14.py": 0.0, "fn_57.py": 1e-5, "fn_74.py": 1e-5}


def layers(text: str, wanted: str | None = None) -> list[FunctionLayer]:
    space: dict[str, Any] = {"np": np}
    tree = ast.parse(text)
    exec(compile(tree, "layers.py", "exec"), space)
    names = {node.name: space[node.name] for node in tree.body if isinstance(node, ast.FunctionDef)}
    return find(names, tree, "some/where/layers.py", wanted)


def in_file(file: str, wanted: str | None = None) -> list[FunctionLayer]:
    loaded = load(str(FOLDER / file))
    return find(loaded.names, loaded.tree, loaded.path, wanted)


def only(text: str) -> FunctionLayer:
    (layer,) = layers(text)
    return layer


def of(entry: dict[str, Any]) -> FunctionLayer:
    return in_file(entry["file"], entry["layer"])[0]


def known(entry: dict[str, Any]) -> str:
    return f"{entry['file']}:{entry['layer'] or ''}"


def close(one: Any, other: Any) -> None:
    assert np.shape(one) == np.shape(other)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def is_right(layer: FunctionLayer, call: Call, eps: float | None = None) -> None:
    """The forward pass, the gradients and the running statistics of one step."""
    eps = call.settings.eps if eps is None else eps
    made, dout = layer.forward(call), np.sin(3 * call.x)
    close(made.out, batchnorm.forward(call.x, call.gamma, call.beta, eps))
    if layer.traits.has_backward:
        for ours, theirs in zip(made.backward(dout), batchnorm.backward(dout, call.x, call.gamma, eps), strict=True):
            close(ours, theirs)
    if layer.traits.keeps_statistics:
        assert call.running is not None
        batch = batchnorm.batch_statistics(call.x)
        after, expected = made.running(), batchnorm.update_running(call.running, batch, call.settings.momentum)
        assert after is not None
        close(after.mean, expected.mean)
        close(after.var, expected.var)
    assert made.written == ()


# ---- the files of imaginary users ----


@pytest.mark.parametrize("entry", [e for e in MANIFEST if e["verdict"] == "pass"], ids=known)
@pytest.mark.parametrize(("n", "d"), [(12, 4), (8, 1), (7, 9)])
def test_right_layers_are_called_rightly(entry: dict[str, Any], n: int, d: int) -> None:
    layer, eps = of(entry), OWN_EPS.get(entry["file"])
    assert layer.traits.takes_eps == (eps is None)
    assert layer.traits.has_backward or entry["codes"]
    if "BN407" in entry["notes"]:
        layer = FunctionLayer(**{**layer.__dict__, "traits": layer.traits._replace(keeps_statistics=False)})
    call = sample(n, d, running=True, eps=1e-2, momentum=0.8)
    is_right(layer, call, eps)
    if layer.traits.has_test_mode:
        test = sample(n, d, running=True, eps=1e-2, mode=Mode.TEST)
        out = layer.forward(test).out
        close(out, batchnorm.forward(test.x, test.gamma, test.beta, 1e-2 if eps is None else eps, test.running))


@pytest.mark.parametrize("entry", [e for e in MANIFEST if e["verdict"] == "fail"], ids=known)
def test_wrong_layers_load_and_run(entry: dict[str, Any]) -> None:
    layer, call = of(entry), sample(running=True)
    if entry["codes"] == ["BN008"]:
        with pytest.raises(NotImplementedByLayer, match="returns"):
            layer.forward(call).backward(call.x)
        return
    made = layer.forward(call)
    assert made.out.shape == call.x.shape
    if "BN001" in entry["codes"]:
        with pytest.raises(LayerRaised, match="NameError"):
            made.backward(call.x)
        return
    shapes = tuple(np.shape(gradient) for gradient in made.backward(np.sin(call.x)))
    odd = {"course_09.py": ((5, 3), (), ()), "fn_20.py": ((3, 5), (3,), (3,))}
    assert shapes == odd.get(entry["file"], ((5, 3), (3,), (3,)))
    if entry["file"] == "course_20.py":
        assert made.written == ("x",)


def test_one_that_raises_is_told_from_none() -> None:
    layer = of({"file": "err_01.py", "layer": None})
    made = layer.forward(sample())
    with pytest.raises(LayerRaised, match="x_hat"):
        made.backward(sample().x)
    assert in_file("none_01.py") == []


def test_each_backward_is_a_layer_and_an_image_needs_images() -> None:
    file = "course_01.py"
    names = ["batchnorm_forward", "batchnorm_backward_alt", "spatial_batchnorm_forward"]
    assert [layer.name for layer in in_file(file)] == [f"course_01.py:{name}" for name in names]
    for wanted in names:
        assert [layer.name for layer in in_file(file, wanted)] == [f"course_01.py:{wanted}"]
    assert [layer.name for layer in in_file(file, "batchnorm_backward")] == ["course_01.py:batchnorm_forward"]
    for wanted in ("relu_forward", "layernorm_forward", "affine_backward", "nowhere"):
        assert in_file(file, wanted) == []
    first, _, spatial = in_file(file)
    pair, rest = first.traits.recognised.split(", ", 1)
    assert pair == "function pair course_01.py:batchnorm_forward/batchnorm_backward"
    assert rest == "momentum = share kept, returns dx, dgamma, dbeta"
    assert "(N, C, H, W)" in spatial.traits.recognised


@pytest.mark.parametrize(
    ("n", "sides"), [(64, (4, 4, 4)), (12, (3, 2, 2)), (6, (1, 2, 3)), (7, (7, 1, 1)), (1, (1, 1, 1))]
)
def test_images_have_height_and_width_where_they_can(n: int, sides: tuple[int, int, int]) -> None:
    assert image(n) == sides


def test_a_mistake_about_axes_shows() -> None:
    layer = of({"file": "course_31.py", "layer": "spatial_batchnorm_forward"})
    call = sample(16, 3)
    assert np.abs(layer.forward(call).out - batchnorm.forward(call.x, call.gamma, call.beta, 1e-5)).max() > 0.1


@pytest.mark.parametrize(
    ("axes", "gamma"),
    [("0, 2, 3", "gamma.reshape(1, -1, 1, 1)"), ("0, 1, 2", "gamma"), ("0, 2, 3", "gamma[:, None, None]")],
)
@pytest.mark.parametrize("name", ["spatial_batchnorm", "batchnorm"])
def test_channels_first_and_last(axes: str, gamma: str, name: str) -> None:
    layer = only(f"""
def {name}_forward(x, gamma, beta, eps=1e-5):
    v = x.var(({axes}), keepdims=True) + eps
    xhat = (x - x.mean(({axes}), keepdims=True)) / np.sqrt(v)
    return {gamma} * xhat + {gamma.replace("gamma", "beta")}, (xhat, v, {gamma})

def {name}_backward(dout, cache):
    xhat, v, gamma = cache
    dbeta, dgamma = dout.sum(({axes}), keepdims=True), (dout * xhat).sum(({axes}), keepdims=True)
    m = dout.size / dbeta.size
    return gamma / np.sqrt(v) * (dout - dbeta / m - xhat * dgamma / m), dgamma, dbeta
""")
    assert ("(N, C, H, W)" if "2, 3" in axes else "(N, H, W, C)") in layer.traits.recognised
    is_right(layer, sample(12, 4))
    is_right(layer, sample(7, 2))


def test_a_dict_of_settings_may_come_back_as_a_new_one() -> None:
    layer = only("""
def batchnorm_forward(x, gamma, beta, bn_param):
    bn_param, mu, var = dict(bn_param), x.mean(0), x.var(0)
    momentum, old = bn_param["momentum"], (bn_param["moving_mean"], bn_param["moving_var"])
    bn_param["moving_mean"] = momentum * old[0] + (1 - momentum) * mu
    bn_param["moving_var"] = momentum * old[1] + (1 - momentum) * var
    return gamma * (x - mu) / np.sqrt(var + bn_param["epsilon"]) + beta, bn_param
""")
    is_right(layer, sample(running=True, eps=0.1))


# ---- conventions ----

FORWARD = """
def batchnorm_forward({arguments}):
    mu, var = x.mean({axis}), x.var({axis})
    xhat = (x - mu) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, var + eps, gamma)
"""
BACKWARD = """
def batchnorm_backward({arguments}):
    xhat, v, gamma = cache
    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
    dx = gamma / np.sqrt(v) * (dout - dbeta / len(dout) - xhat * dgamma / len(dout))
    {returns}
"""
SIMPLE = FORWARD.format(arguments="x, gamma, beta, eps=1e-5", axis=0)


@pytest.mark.parametrize(
    "returns",
    [
        "return dx, dbeta, dgamma",
        "return dx, [dgamma, dbeta]",
        "return dgamma, dbeta, dx",
        "return {'dbeta': dbeta, 'dgamma': dgamma, 'dx': dx}",
        "return {'dx': dx, 'gamma': dgamma, 'beta': dbeta}",
        "dw, db = dgamma, dbeta; return dx, dw, db",
        "grads = (dx, dbeta, dgamma); return grads",
        "return dx, dgamma[None], dbeta[:, None]",
        "return dx, dgamma.reshape(1, -1), np.squeeze(dbeta)",
        "return dx, (dout * xhat).sum(0), dout.sum(0)",
        "return dx, dout.sum(0), (dout * xhat).sum(0)",
        "return [dx, dgamma, dbeta]",
    ],
)
def test_gradients_are_read_by_role(returns: str) -> None:
    layer = only(SIMPLE + BACKWARD.format(arguments="dout, cache", returns=returns))
    is_right(layer, sample(6, 4))


def test_names_that_the_values_belie_are_believed() -> None:
    text = "dgamma, dbeta = dbeta, dgamma; return dx, dgamma, dbeta"
    layer, call = only(SIMPLE + BACKWARD.format(arguments="dout, cache", returns=text)), sample()
    right = batchnorm.backward(call.x, call.x, call.gamma, 1e-5)
    made = layer.forward(call).backward(call.x)
    close(made.dgamma, right.dbeta)
    close(made.dbeta, right.dgamma)


@pytest.mark.parametrize(
    "arguments",
    [
        "dout, cache",
        "cache, dout",
        "cache, grad",
        "dy, saved=None, cache=None",
        "delta, *, cache",
        "dout, cache, /",
        "upstream, cache, lr=0.1",
    ],
)
def test_the_backward_gets_what_it_asks_for(arguments: str) -> None:
    text = BACKWARD.format(arguments=arguments, returns="return dx, dgamma, dbeta")
    for name in ("grad", "dy", "delta", "upstream"):
        text = text.replace("    xhat, v", f"    dout = {name}\n    xhat, v", 1) if name in arguments else text
    is_right(only(SIMPLE + text), sample(6, 4))


@pytest.mark.parametrize(
    "arguments",
    [
        "x, gamma, beta, eps",
        "gamma, beta, x, eps=1e-5",
        "x, g, b, e=1e-5",
        "X, scale, shift, *, epsilon=1e-5",
        "inputs, weight, bias, eps=1e-5, axis=0, name=None",
        "x, gamma, beta, eps, /",
        "x, gamma, beta, whatever",
        "x, gamma, beta, **kwargs",
        "x, params, eps=1e-5",
        "x, params, epsilon=1e-3",
    ],
)
def test_the_forward_gets_what_it_asks_for(arguments: str) -> None:
    text = FORWARD.format(arguments=arguments, axis=0)
    means = {
        "x": "X inputs",
        "gamma": "g scale weight",
        "beta": "b shift bias",
        "eps": "e epsilon whatever",
    }
    words = arguments.replace("=", " ").replace("*", " ").replace(",", " ").split()
    lines = [f"{role} = {word}" for role, others in means.items() for word in others.split() if word in words]
    lines += ["eps = kwargs.get('eps', 1e-5)"] if "kwargs" in words else []
    lines += ["gamma, beta = params['gamma'], params['beta']"] if "params" in words else []
    text = text.replace("    mu, var", "    " + "; ".join([*lines, "pass"]) + "\n    mu, var")
    layer = only(text + BACKWARD.format(arguments="dout, cache", returns="return dx, dgamma, dbeta"))
    is_right(layer, sample(6, 4, eps=0.1))


STEPPING = """
def bn_forward(x, gamma, beta, {arguments}):
    if {training}:
        mean, var = x.mean(axis=0), x.var(axis=0)
        {update}
    else:
        mean, var = running_mean, running_var
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    {returns}
"""
KEPT = (
    "running_mean {} momentum * running_mean + (1 - momentum) * mean; "
    "running_var {} momentum * running_var + (1 - momentum) * var"
)
TAKEN = KEPT.replace("momentum *", "?").replace("(1 - momentum)", "momentum").replace("?", "(1 - momentum) *")
AGAIN = "return gamma * xhat + beta, xhat, {}, {}"


@pytest.mark.parametrize(
    ("arguments", "training", "update", "returns"),
    [
        (
            "running_mean, running_var, train, momentum=0.9",
            "train",
            KEPT.format("=", "="),
            AGAIN.format("running_mean", "running_var"),
        ),
        (
            "running_mean, running_var, momentum, mode='train'",
            "mode == 'train'",
            KEPT.format("[:]=", "[:]="),
            "return gamma * xhat + beta",
        ),
        (
            "moving_mean, moving_var, momentum=0.1, is_test=False",
            "not is_test",
            TAKEN,
            "return gamma * xhat + beta, moving_mean, moving_var",
        ),
        (
            "running, momentum, phase",
            "phase == 'fit'",
            KEPT.format("=", "="),
            "return gamma * xhat + beta, (running_mean, running_var)",
        ),
        (
            "running_mean, running_var, momentum, training",
            "training",
            TAKEN.format("=", "="),
            AGAIN.format("running_mean", "running_var"),
        ),
        (
            "running_mean, running_var, mode, momentum=.9",
            "mode",
            KEPT.format("=", "="),
            AGAIN.format("running_mean", "running_var"),
        ),
    ],
)
def test_running_statistics_and_test_mode(arguments: str, training: str, update: str, returns: str) -> None:
    if "moving" in arguments:
        update = update.format("=", "=").replace("running", "moving")
    text = STEPPING.format(arguments=arguments, training=training, update=update, returns=returns)
    if "moving" in arguments:
        text = text.replace("running", "moving")
    if "running," in arguments:
        text = text.replace("    if phase", "    running_mean, running_var = running\n    if phase")
        text = text.replace("(running_mean, running_var)\n", "running_mean, running_var\n")
    layer = only(text)
    traits = layer.traits
    assert not traits.has_backward
    assert traits.has_test_mode
    assert traits.keeps_statistics
    assert traits.takes_momentum
    assert ("share taken" in traits.recognised) == (
        "(1 - momentum) * running" in text or "(1 - momentum) * moving" in text
    )
    is_right(layer, sample(6, 4, running=True, momentum=0.7))
    test = sample(6, 4, running=True, mode=Mode.TEST)
    close(layer.forward(test).out, batchnorm.forward(test.x, test.gamma, test.beta, 1e-5, test.running))


@pytest.mark.parametrize("default", ["0.9", "0.1"])
def test_the_default_says_which_momentum_is_meant(default: str) -> None:
    """Whoever writes 0.9 means the share kept; that the code then takes it is a mistake, and must stay visible."""
    arguments, returns = (
        f"running_mean, running_var, train, momentum={default}",
        AGAIN.format("running_mean", "running_var"),
    )
    text = STEPPING.format(arguments=arguments, training="train", update=TAKEN.format("=", "="), returns=returns)
    call = sample(running=True)
    after = only(text).forward(call).running()
    assert after is not None
    assert call.running is not None
    expected = batchnorm.update_running(call.running, batchnorm.batch_statistics(call.x), 0.9)
    assert np.allclose(after.mean, expected.mean) == (default == "0.1")


def test_statistics_that_are_given_may_be_the_test_mode() -> None:
    text = SIMPLE.replace("eps=1e-5", "mean=None, var=None, eps=1e-5").replace(
        "mu, var = x.mean(0), x.var(0)", "mu, var = (x.mean(0), x.var(0)) if mean is None else (mean, var)"
    )
    layer = only(text)
    assert layer.traits.has_test_mode
    assert not layer.traits.keeps_statistics
    is_right(layer, sample(running=True))
    test = sample(running=True, mode=Mode.TEST)
    close(layer.forward(test).out, batchnorm.forward(test.x, test.gamma, test.beta, 1e-5, test.running))


def test_passes_leave_no_trace() -> None:
    layer, call = of({"file": "course_01.py", "layer": "batchnorm_forward"}), sample(momentum=0.5)
    first = layer.forward(call)
    state = first.state
    second, again = layer.forward(call, state), layer.forward(call, state)
    for made in (second, again):
        running = made.running()
        assert running is not None
        close(running.mean, 0.75 * call.x.mean(0))
    other = Statistics(call.gamma, call.gamma**2)
    restarted = layer.forward(call._replace(running=other), state).running()
    assert restarted is not None
    close(restarted.mean, 0.5 * other.mean + 0.5 * call.x.mean(0))
    assert sample().x.tobytes() == call.x.tobytes()


@pytest.mark.parametrize("file", ["fn_27.py", "fn_29.py", "fn_31.py"])
def test_what_is_kept_outside_goes_on_from_pass_to_pass(file: str) -> None:
    (layer,) = in_file(file)
    assert layer.traits.keeps_statistics
    assert layer.traits.has_test_mode
    call = sample(momentum=0.5)
    state = layer.forward(call).state
    for _ in range(2):
        running = layer.forward(call, state).running()
        assert running is not None
        close(running.mean, 0.75 * call.x.mean(0))
    test = sample(mode=Mode.TEST, running=True)
    close(layer.forward(test, state).out, batchnorm.forward(test.x, test.gamma, test.beta, 1e-5, test.running))


def test_the_backward_follows_its_own_forward() -> None:
    (layer,) = in_file("fn_28.py")
    call, dout = sample(), np.sin(sample().x)
    made = layer.forward(call)
    layer.forward(call._replace(x=call.x[::-1] ** 2))
    right = batchnorm.backward(dout, call.x, call.gamma, 1e-5)
    for got, want in zip(made.backward(dout), right, strict=True):
        close(got, want)


def test_a_batchs_own_mean_is_no_running_one() -> None:
    text = SIMPLE.replace("def bn_forward", "NOTES = {}\ndef bn_forward").replace(
        "    xhat =", "    NOTES['mean'], NOTES['var'] = mu, var\n    xhat =", 1
    )
    assert "NOTES['mean']" in text
    assert not only(text).traits.keeps_statistics


def test_a_backward_that_spoils_its_cache_can_be_asked_twice() -> None:
    text = BACKWARD.format(arguments="dout, cache", returns="xhat *= 2; dout *= 0; return dx, dgamma, dbeta")
    layer, call = only(SIMPLE + text), sample()
    made, right = layer.forward(call), batchnorm.backward(call.x, call.x, call.gamma, 1e-5)
    for _ in range(2):
        gradients = made.backward(call.x)
        close(gradients.dgamma, right.dgamma)
    assert made.written == ("dout",)
    assert isinstance(gradients, Gradients)


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        ("bn_forward bn_backward", ["bn_forward/bn_backward"]),
        ("forward backward", ["forward/backward"]),
        ("forward_bn backward_bn relu_forward", ["forward_bn/backward_bn"]),
        ("batch_norm batch_norm_backward", ["batch_norm/batch_norm_backward"]),
        ("batchNormForward batchNormBackward", ["batchNormForward/batchNormBackward"]),
        ("BatchNormForward BatchNormBackward", ["BatchNormForward/BatchNormBackward"]),
        ("BN_fprop BN_bprop", ["BN_fprop/BN_bprop"]),
        ("batchnorm dbatchnorm", ["batchnorm/dbatchnorm"]),
        ("batchnorm1d_forward batchnorm1d_backward", ["batchnorm1d_forward/batchnorm1d_backward"]),
        ("bn_forward bn_backward bn_backward_2", ["bn_forward/bn_backward", "bn_forward/bn_backward_2"]),
        (
            "bn_forward bn_forward_fast bn_backward bn_backward_fast",
            ["bn_forward/bn_backward", "bn_forward_fast/bn_backward_fast"],
        ),
        (
            "batchnorm_forward conv_bn_relu_forward affine_bn_backward test_batchnorm_forward init_bn",
            ["batchnorm_forward"],
        ),
        (
            "batchnorm_forward_train batchnorm_forward_test batchnorm_backward",
            ["batchnorm_forward_train/batchnorm_backward/batchnorm_forward_test"],
        ),
        ("layernorm_forward layernorm_backward instance_norm_forward group_norm_forward", []),
        ("affine_forward affine_backward", []),
    ],
)
def test_pairs_by_name(names: str, pairs: list[str]) -> None:
    text = "".join(
        f"def {name}(dout, cache):\n    return dout, dout[0], dout[0]\n"
        if "ack" in name or "bprop" in name or name[:2] == "db"
        else f"def {name}(x, gamma, beta):\n    return x * gamma + beta, None\n"
        for name in names.split()
    )
    assert [layer.traits.recognised.split(":")[1].split(",")[0] for layer in layers(text)] == pairs


def test_a_function_of_any_name_can_be_asked_for() -> None:
    text = (SIMPLE + BACKWARD).format(arguments="dout, cache", returns="return dx, dgamma, dbeta")
    text = text.replace("batchnorm_forward", "whiten_forward").replace("batchnorm_backward", "whiten_backward")
    assert layers(text) == []
    (layer,) = layers(text, "whiten_forward")
    is_right(layer, sample())


def test_a_forward_that_always_raises_says_so() -> None:
    layer = only("def batchnorm_forward(x, gamma, beta, eps=1e-5):\n    return nowhere\n")
    with pytest.raises(LayerRaised, match="nowhere"):
        layer.forward(sample())


def test_results_may_be_lists_of_lists() -> None:
    text = SIMPLE.partition("def batchnorm_backward")[0].replace("batchnorm_forward", "inner")
    layer = only(
        text + "\ndef batchnorm(x, gamma, beta, eps=1e-5):\n    return inner(x, gamma, beta, eps)[0].tolist()\n"
    )
    call = sample()
    close(layer.forward(call).out, batchnorm.forward(call.x, call.gamma, call.beta, 1e-5))


def test_what_comes_back_instead_of_an_array_is_named() -> None:
    layer = only("def batchnorm_forward(x, gamma, beta):\n    return lambda: x\n")
    with pytest.raises(NotImplementedByLayer, match="no array, but function"):
        layer.forward(sample())


@pytest.mark.parametrize(
    "text",
    [
        "def batchnorm_forward(kind, q, r, s):\n    return r * q['a'] + s\n",
        "def batchnorm_forward(q, gamma, beta, on):\n    return q if on else 2 * q\n",
    ],
)
def test_a_guess_that_fails_accuses_nobody(text: str) -> None:
    with pytest.raises(Unrunnable, match="and what that is cannot be told"):
        only(text).forward(sample())


def test_a_layer_for_images_may_refuse_tables() -> None:
    text = """
def batchnorm_forward(x, gamma, beta):
    if x.ndim == 2:
        raise ValueError("images only")
    return gamma * (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5) + beta
"""
    assert "(N, H, W, C)" in only(text).traits.recognised
