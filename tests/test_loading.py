"""The loader: files as people keep them, what it says of those it cannot use, and what it leaves behind."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import json
import os
import random
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck.errors import BadInput, LayerRaised, NotImplementedByLayer
from bncheck.layers import isolation
from bncheck.layers.functions.traits import sample
from bncheck.layers.loading import stubs
from bncheck.layers.loading.files import Loaded, load
from bncheck.layers.loading.source import mend
from bncheck.layers.resolve import resolve

LAYERS = Path(__file__).parent / "layers"
CASES: list[dict[str, Any]] = json.loads((LAYERS / "manifest.json").read_text(encoding="utf-8"))
X = np.random.default_rng(0).standard_normal((6, 3))

PAIR = """
def batchnorm_forward(x, gamma, beta, eps=1e-5):
    xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    return gamma * xhat + beta, (xhat, gamma)


def batchnorm_backward(dout, cache):
    return dout, (dout * cache[0]).sum(0), dout.sum(0)
"""
NORM = """
class BatchNorm(Layer):
    def __init__(self, n):
        super().__init__(n, name="bn")
        self.gamma = np.ones(n)

    def forward(self, x):
        return self.gamma * (x - x.mean(0))
"""


def case_id(case: dict[str, Any]) -> str:
    return f"{case['file']}:{case['layer'] or ''}"


def target(case: dict[str, Any]) -> str:
    path = str(LAYERS / case["file"])
    return f"{path}:{case['layer']}" if case["layer"] else path


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def lifted(folder: Path, text: str, **options: Any) -> Loaded:
    return load(str(write(folder, {"layer.py": text}) / "layer.py"), **options)


def message(wanted: str, **options: Any) -> str:
    with pytest.raises(BadInput) as caught:
        load(wanted, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- other people's files ----


@pytest.mark.parametrize("isolate", [False, True], ids=["plain", "isolated"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_files_of_many_people(case: dict[str, Any], isolate: bool) -> None:
    if case["needs"] and importlib.util.find_spec(case["needs"]) is None:
        pytest.skip(f"{case['needs']} is not installed")
    if case["file"] in ("none_02.py", "none_03.py"):
        assert "cannot be imported" in message(target(case), isolate=isolate)
        return
    loaded = load(target(case), isolate)
    assert loaded.names
    assert loaded.wanted == case["layer"]
    assert loaded.wanted is None or loaded.wanted in loaded.names
    assert loaded.path == str(LAYERS / case["file"])
    lines = [value.__code__.co_firstlineno for value in loaded.names.values() if inspect.isfunction(value)]
    assert lines == sorted(lines) or "@" in Path(loaded.path).read_text(encoding="utf-8")
    assert all("\n" not in note for note in loaded.notes)
    assert not isolate or loaded.notes


def test_a_missing_framework_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    said = message(str(LAYERS / "torch_02.py"))
    assert "BatchNorm needs torch: pip install 'bncheck[torch]'" in said


STATIC_PAIRS = """
import torch
class BatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        h = (x - x.mean(dim=0)) / torch.sqrt(x.var(dim=0, unbiased=False) + 1e-5)
        return gamma * h + beta, (h, gamma)
class SpatialBatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        n, c, h, w = x.shape
        out, cache = BatchNorm.forward(x.permute(0, 2, 3, 1).reshape(-1, c), gamma, beta, bn_param)
        return out.reshape(n, h, w, c).permute(0, 3, 1, 2), cache
"""


def test_what_calls_a_class_needs_what_that_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    file = write(tmp_path, {"layer.py": STATIC_PAIRS}) / "layer.py"
    assert "BatchNorm needs torch" in message(str(file))
    assert "SpatialBatchNorm needs torch" not in message(f"{file}:SpatialBatchNorm")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("imp_11.py", "imp_11.py:17 in forward: activations_of_ours.lookup is missing"),
        ("imp_11.py:SpatialBatchNorm", "imp_11.py:17 in forward: activations_of_ours.lookup is missing"),
        ("cls_before_01.py", "batchnorm_backward reads self.before_norm, which run_layer has to set before"),
        ("cls_tensor_01.py", "as minigrad.tensor.Tensor would make, which is missing"),
    ],
)
def test_what_is_no_mistake_of_the_layers(file: str, said: str) -> None:
    with pytest.raises(BadInput, match="cannot be checked") as caught:
        resolve(str(LAYERS / file))
    assert said in str(caught.value)


def test_what_stood_in_the_way_of_a_class_is_said(tmp_path: Path) -> None:
    passes = " def forward(self, x): return self.gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)\n"
    late = "class BatchNorm:\n def __init__(self, n): self.gamma = np.ones(n)\n"
    late += " def forward(self, x):\n  import gone_with_it\n  return x\n"
    asks = "class BatchNorm:\n def __init__(self, n, *, zorp): self.gamma = np.ones(n) * zorp.much\n" + passes
    for text, said in ((late, "it imports gone_with_it as it runs, which is missing"), (asks, "asks for zorp")):
        file = write(tmp_path, {"layer.py": f"import numpy as np\n{text}"}) / "layer.py"
        with pytest.raises(BadInput, match="cannot be checked") as caught:
            resolve(str(file))
        assert said in str(caught.value)


def test_a_package_that_imports_as_it_goes_meets_its_own_modules() -> None:
    before = set(sys.modules)
    for _ in range(2):
        layer = resolve(str(LAYERS / "lazygrad/nn/norm.py")).layers[0]
        layer.forward(sample(6, 4)).backward(np.ones((6, 4)))
    assert not [name for name in set(sys.modules) - before if name.startswith("lazygrad")]
    assert not [one for one in sys.meta_path if type(one).__module__.startswith("bncheck")]


def test_a_layer_that_works_is_kept_beside_one_that_cannot_be_run(tmp_path: Path) -> None:
    whole = "class BatchNorm:\n def __init__(self, n): self.gamma, self.beta = np.ones(n), np.zeros(n)\n"
    whole += " def forward(self, x): return self.gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + self.beta\n"
    lame = "class SimpleBatchNorm(BatchNorm):\n def forward(self, x): return fetch('tanh')(super().forward(x))\n"
    file = write(tmp_path, {"layer.py": f"import numpy as np\nfrom gone import fetch\n{whole}{lame}"}) / "layer.py"
    found = resolve(str(file))
    assert [layer.name for layer in found.layers] == ["layer.py:BatchNorm"]
    assert any("SimpleBatchNorm was left out" in note for note in found.notes)


# ---- where a layer may stand ----


def test_packages_and_relative_imports() -> None:
    path = LAYERS / "tinynet" / "layers" / "norm.py"
    loaded = load(f"{path}:BatchNorm")
    assert list(loaded.names) == ["BatchNorm", "LayerNorm"]
    layer: Any = loaded.names["BatchNorm"]
    assert layer.__module__ == "tinynet.layers.norm"
    assert [base.__name__ for base in layer.__mro__] == ["BatchNorm", "Layer", "object"]
    assert not loaded.notes
    assert not [name for name in sys.modules if name.startswith("tinynet")]


@pytest.mark.parametrize("isolate", [False, True])
def test_folders_without_init_files(tmp_path: Path, isolate: bool) -> None:
    base = "class Layer:\n    def __init__(self, n, name):\n        self.name = name\n"
    text = "import numpy as np\nfrom ..base import Layer\nfrom .tools import scale\n" + NORM
    files = {"net/base.py": base, "net/layers/tools.py": "def scale(x):\n    return x\n", "net/layers/bn.py": text}
    layer: Any = load(str(write(tmp_path, files) / "net/layers/bn.py"), isolate).names["BatchNorm"]
    assert layer(3).name == "bn"


def test_siblings_that_fail_are_lifted_too(tmp_path: Path) -> None:
    base = "import no_such_plotter as plt\nLIMIT = 3\nclass Layer:\n    def __init__(self, n, name):\n"
    base += "        self.name = name\n"
    files = {
        "base.py": base,
        "bn.py": "import numpy as np\nfrom base import Layer, LIMIT\nfrom other import thing\n" + NORM,
    }
    loaded = load(str(write(tmp_path, files) / "bn.py"))
    layer: Any = loaded.names["BatchNorm"]
    assert layer(3).name == "bn"
    assert "LIMIT" not in "".join(loaded.notes)
    assert any("base.py" in note for note in loaded.notes)
    assert any("thing of other is missing" in note for note in loaded.notes)


def test_a_package_whose_init_fails(tmp_path: Path) -> None:
    base = "class Layer:\n    def __init__(self, n, name):\n        self.name = name\n"
    text = "import numpy as np\nfrom .base import Layer\n" + NORM
    files = {"pack/__init__.py": "from .gone import x\n", "pack/base.py": base, "pack/bn.py": text}
    loaded = load(str(write(tmp_path, files) / "pack/bn.py"))
    layer: Any = loaded.names["BatchNorm"]
    assert layer(3).name == "bn"
    assert any("pack was passed over" in note for note in loaded.notes)


def test_modules_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"nets/norm.py": "import numpy as np\nfrom nets.base import Layer\n" + NORM}
    files["nets/base.py"] = "class Layer:\n    def __init__(self, n, name):\n        self.name = name\n"
    monkeypatch.chdir(write(tmp_path, files))
    loaded = load("nets.norm:BatchNorm")
    assert (list(loaded.names), loaded.wanted, loaded.path) == (["BatchNorm"], "BatchNorm", "nets.norm")
    assert list(load("nets.norm").names) == ["BatchNorm"]
    assert not any(name.startswith("nets") for name in sys.modules)


def test_modules_of_libraries() -> None:
    loaded = load("json.decoder:JSONDecoder")
    assert "JSONDecoder" in loaded.names
    assert loaded.tree.body
    assert load("json:JSONDecoder").names["JSONDecoder"] is json.JSONDecoder
    assert sys.modules["json"] is json


def test_imports_inside_functions_work_later(tmp_path: Path) -> None:
    text = "def batchnorm(x):\n    from .tools import scale\n    import tools\n    return scale(x)\n"
    files = {"net/tools.py": "def scale(x):\n    return 2 * x\n", "net/bn.py": text}
    layer: Any = load(str(write(tmp_path, files) / "net/bn.py")).names["batchnorm"]
    assert layer(3) == 6
    assert "tools" not in sys.modules


def test_names_of_libraries_are_not_hidden(tmp_path: Path) -> None:
    text = "from .gone import x\nimport numpy as np\n" + PAIR
    layer: Any = load(str(write(tmp_path, {"numpy/random.py": text}) / "numpy/random.py")).names["batchnorm_forward"]
    assert layer(X, 1, 0)[0].shape == X.shape
    assert sys.modules["numpy"] is np


# ---- what is in it ----


def test_only_what_the_file_defines(tmp_path: Path) -> None:
    text = "import numpy as np\nfrom json import dumps\nfrom json import JSONDecoder\n" + PAIR
    text += "half = lambda x: x / 2\nalso = batchnorm_forward\nnet = np.ones(3)\nif True:\n    def last(): pass\n"
    loaded = lifted(tmp_path, text)
    assert list(loaded.names) == ["batchnorm_forward", "batchnorm_backward", "last", "half"]
    assert load(f"{tmp_path}/layer.py:also").wanted == "also"
    assert load(f"{tmp_path}/layer.py:JSONDecoder").names["JSONDecoder"] is json.JSONDecoder


# ---- what an import may fail of ----

HEADS = {
    "missing package": "import nowhere.to_be.found as found\nfrom nowhere import *\nimport numpy as np\n",
    "missing extension": "import numpy as np\nfrom ._compiled import col2im\n",
    "exit": "import numpy as np\nimport sys\nsys.exit('usage')\n",
    "quit": "import numpy as np\nquit()\n",
    "arguments": "import argparse\nimport numpy as np\n"
    "p = argparse.ArgumentParser()\np.add_argument('--lr', required=True)\n"
    "args = p.parse_args()\nLR = args.lr\ndef train(lr=LR):\n    return LR\n",
    "data": "import numpy as np\nDATA = np.load('no such file.npz')\n",
    "no numpy": "zeros = np.zeros(3)\n",
    "interrupt": "import numpy as np\nraise KeyboardInterrupt\n",
    "input": "import numpy as np\nn = int(input('how many? '))\n",
    "assertion": "import numpy as np\nassert np.ones(3).sum() == 4\n",
    "magic": "%matplotlib inline\nimport numpy as np\n!ls\n",
    "python 2": "import numpy as np\nprint 'training', 3\n",
    "broken elsewhere": "import numpy as np\ndef train(:\n    pass\n",
    "guarded": "try:\n    import cupy_is_missing as np\nexcept ImportError:\n    import numpy as np\n"
    "raise ValueError\n",
    "switch": "from config_is_missing import GPU\nif GPU:\n    import cupy as np\nelse:\n    import numpy as np\n",
    "alike": "import cupy as np\n1 / 0\n",
    "moved": "from collections import Iterable\nimport numpy as np\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_failing_imports_are_lifted(head: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = lifted(tmp_path, head + PAIR)
    forward: Any = loaded.names["batchnorm_forward"]
    assert forward(X, np.ones(3), np.zeros(3))[0].shape == X.shape
    assert loaded.notes
    assert capsys.readouterr().out == ""


def test_numpy_is_supplied(tmp_path: Path) -> None:
    loaded = lifted(tmp_path, PAIR)
    forward: Any = loaded.names["batchnorm_forward"]
    assert forward(X, 1, 0)[0].shape == X.shape
    assert loaded.notes == ("layer.py uses np without importing it: it is supplied",)


def test_a_layer_that_does_not_parse_is_not_skipped(tmp_path: Path) -> None:
    text = "import numpy as np\ndef train(:\n    pass\nclass BatchNorm:\n    def f(self:\n        pass\n"
    assert "line 2: invalid syntax" in message(str(write(tmp_path, {"layer.py": text + PAIR}) / "layer.py"))


def test_what_an_import_of_everything_brought(tmp_path: Path) -> None:
    body = "class BN(Layer):\n    def forward(self, x):\n        return zeros(3) + sqrt(x.var(0) + eps) + np.ones(3)\n"
    loaded = lifted(tmp_path, "from lost import *\n" + body)
    layer: Any = loaded.names["BN"]
    assert layer("any", thing=1).forward.__name__ == "forward"


def test_stand_ins(tmp_path: Path) -> None:
    head = "import numpy as np\nfrom lost import Layer, Mixin, register, Parameter, zeros, njit, Any2, Optimizer\n"
    body = """
@register("bn")
class BatchNorm(Layer, Mixin, metaclass=type):
    def __init__(self, n: "Any2 | None"):
        super().__init__(n, training=True)
        self.gamma = Parameter(np.ones(n))
        self.beta = zeros(n)
        self.optimizer = Optimizer(lr=0.1)

    @njit(cache=True)
    def forward(self, x) -> Any2[int] | None:
        return self.gamma.data * x + self.gamma * x + self.beta

    def step(self, g):
        self.gamma.data = self.optimizer.update(self.gamma.data, g)


@njit
def helper(x):
    return x
"""
    loaded = lifted(tmp_path, head + body)
    made: Any = loaded.names["BatchNorm"]
    layer = made(3)
    np.testing.assert_array_equal(layer.forward(X), 2 * X)
    layer.step(np.ones(3))
    np.testing.assert_array_equal(layer.gamma.data, np.ones(3))
    assert layer.gamma.grad.shape == (3,)
    helper: Any = loaded.names["helper"]
    assert helper(4) == 4
    assert [note for note in loaded.notes if "zeros of lost is missing and taken from NumPy" in note]


def test_the_layer_itself_is_never_stubbed(tmp_path: Path) -> None:
    text = "from kernels import bn_train\ndef batchnorm_forward(x, gamma, beta, eps):\n    return bn_train(x)\n"
    write(tmp_path, {"layer.py": text})
    assert "computes with bn_train" in message(f"{tmp_path}/layer.py")


def test_constants_are_lifted_and_demos_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "import numpy as np\nEPS = 1e-3\nSHAPE = (3,)\nBIAS = np.zeros(SHAPE)\nmodel = 1 / 0\n"
    text += "def train():\n    raise SystemError\nresult = train()\nprint('demo')\nfor i in range(3):\n    print(i)\n"
    text += "def batchnorm(x):\n    return x + EPS + BIAS\nopen('left_behind.txt', 'w').write('x')\n"
    layer: Any = lifted(tmp_path, text).names["batchnorm"]
    np.testing.assert_array_equal(layer(X), X + 1e-3)
    assert capsys.readouterr() == ("", "")
    assert not Path("left_behind.txt").exists()


def test_isolation_skips_demos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "import numpy as np\nprint('demo')\nlearned = []\nlearned.append(1)\n" + PAIR
    assert not lifted(tmp_path, text).notes
    assert capsys.readouterr() == ("", "demo\n")
    loaded = lifted(tmp_path, text, isolate=True)
    assert capsys.readouterr() == ("", "")
    assert list(loaded.names) == ["batchnorm_forward", "batchnorm_backward"]
    assert loaded.notes == ("the definitions of layer.py were lifted out and the rest of it was left, as asked",)


# ---- Python 2 ----


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print", "print()"),
        ("print x, y", "print(x, y)"),
        ("print x,", "print(x, end=' ')"),
        ("print 'a', (x,\n  y)  # said", "print('a', (x,\n  y))  # said"),
        ("print (x), y", "print((x), y)"),
        ("print('x')", "print('x')"),
        ("print ('%d') % 3", "print(('%d') % 3)"),
        ("if v: print 'x:'; print y", "if v: print('x:'); print(y)"),
        ("print >>sys.stderr, x", "print(x, file=sys.stderr)"),
        ("print = 3", "print = 3"),
        ("try:\n  f()\nexcept (A, B), e:\n  print e", "try:\n  f()\nexcept (A, B) as e:\n  print(e)"),
        ("raise E, 'why %s' % x", "raise E('why %s' % x)"),
        ("a <> 10L", "a != 10"),
        ("s = 'print x'  # print y", "s = 'print x'  # print y"),
        ("f = lambda x: x", "f = lambda x: x"),
        ("if a:\n        b\n\tc", "if a:\n        b\n        c"),
    ],
)
def test_python_2(old: str, new: str) -> None:
    assert mend(old) == new


def test_python_2_keeps_its_lines() -> None:
    layer: Any = load(str(LAYERS / "py2_01.py")).names["BatchNorm"]
    assert layer.forward.__code__.co_firstlineno == 16
    assert layer(3).forward(X).shape == X.shape


# ---- five messages ----


def test_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert message("gone.py") == "gone.py: no such file"
    assert message("some/gone.py:BatchNorm") == "some/gone.py: no such file"
    assert message("no_such.module:Name").startswith("no_such.module: no such module: neither no_such/module.py")
    assert "is a folder" in message(str(tmp_path))
    assert "no name of a module" in message("what is this")
    (tmp_path / "a.ipynb").write_text("{}", encoding="utf-8")
    assert "nbconvert" in message(f"{tmp_path}/a.ipynb")


def test_cannot_be_imported(tmp_path: Path) -> None:
    path = write(tmp_path, {"bad.py": "def batchnorm(x):\n    return x +\n"}) / "bad.py"
    assert message(str(path)) == f"{path} cannot be imported: line 2: invalid syntax: return x +"
    path = write(tmp_path, {"worse.py": "class A(1):\n    pass\n"}) / "worse.py"
    said = message(str(path))
    assert said.startswith(f"{path} cannot be imported, for worse.py:1: TypeError")
    (tmp_path / "nul.py").write_bytes(b"\0\xff")
    assert "cannot be" in message(f"{tmp_path}/nul.py")


def test_no_such_name(tmp_path: Path) -> None:
    path = write(tmp_path, {"pair.py": PAIR}) / "pair.py"
    assert message(f"{path}:bn") == f"{path} has no bn: it defines batchnorm_forward, batchnorm_backward"
    assert "no name of Python's" in message(f"{path}:3")


def test_what_cannot_be_lifted_is_named(tmp_path: Path) -> None:
    text = "class A:\n    pass\nclass BatchNorm(A, A):\n    pass\n"
    path = write(tmp_path, {"layer.py": text}) / "layer.py"
    assert message(f"{path}:BatchNorm").startswith("layer.py:3: BatchNorm was left out: TypeError: duplicate base")


def test_a_library_that_fails_is_not_said_to_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(write(tmp_path, {"broken_pack/__init__.py": "1 / 0\n"})))
    said = message("broken_pack.inner:BatchNorm")
    assert "broken_pack.inner cannot be imported, for __init__.py:1: ZeroDivisionError" in said


def test_what_a_package_only_imports(tmp_path: Path) -> None:
    files = {"pack/__init__.py": "from .bn import *\n", "pack/bn.py": PAIR + "class Other: pass\n"}
    path = write(tmp_path, files) / "pack" / "__init__.py"
    assert message(str(path)).endswith(f"write {path}:batchnorm_forward")
    assert list(load(f"{path}:Other").names) == ["Other"]


def test_nothing_in_it(tmp_path: Path) -> None:
    path = write(tmp_path, {"empty.py": "x = 3\n"}) / "empty.py"
    assert message(str(path)) == f"{path} defines nothing: there is no function and no class in it"


# ---- nothing is left behind ----

VANDAL = """
import os, random, sys, warnings
import numpy as np
sys.path.insert(0, "/nowhere"); sys.argv.append("--all"); sys.stdin.read()
os.chdir("/"); os.environ["LEFT_BEHIND"] = "1"; os.environ.pop("HOME", None)
np.random.seed(0); random.seed(0); np.seterr(all="raise"); np.set_printoptions(precision=2)
warnings.simplefilter("error"); warnings.warn("mine")
sys.stdout = sys.stderr = None
import neighbour
from neighbour import batchnorm
def layer(x):
    return x
"""


def state() -> tuple[object, ...]:
    python = (sys.path[:], sys.argv[:], Path.cwd(), dict(os.environ), random.getstate(), warnings.filters[:])
    interpreter = (sys.stdin, sys.stdout, sys.stderr, sys.dont_write_bytecode, sys.excepthook)
    return *python, *interpreter, repr(np.random.get_state()), np.geterr(), np.get_printoptions()  # noqa: NPY002


@pytest.mark.parametrize("end", ["", "raise ValueError\n"])
@pytest.mark.parametrize("isolate", [False, True])
def test_nothing_is_left_behind(end: str, isolate: bool, tmp_path: Path) -> None:
    files = {"vandal.py": VANDAL + end, "neighbour.py": "def batchnorm(x):\n    return x\n"}
    write(tmp_path, files)
    before, modules = state(), set(sys.modules)
    load(f"{tmp_path}/vandal.py", isolate)
    assert state() == before
    assert set(sys.modules) - modules <= sys.stdlib_module_names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["neighbour.py", "vandal.py"]


def test_modules_of_that_name_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (write(tmp_path / place, {"pack/__init__.py": "", "pack/bn.py": PAIR}) for place in "ab")
    monkeypatch.syspath_prepend(str(first))
    mine = importlib.import_module("pack.bn")
    theirs: Any = load(f"{second}/pack/bn.py").names["batchnorm_forward"]
    assert theirs.__code__.co_filename != mine.batchnorm_forward.__code__.co_filename
    assert sys.modules["pack.bn"] is mine
    for name in ("pack", "pack.bn"):
        monkeypatch.delitem(sys.modules, name)


# ---- the user's code while it runs ----


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with isolation.quiet():
        print("said")
        warnings.warn("never mind", stacklevel=1)
        assert np.isinf(np.float64(1) / np.zeros(1))[0]
    assert capsys.readouterr() == ("", "said\n")


def test_a_line_is_shown_once_however_often_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for step in range(3 * isolation.PRINTED):
        with isolation.quiet():
            print("made a", end=" ")
            print("layer")
            print(step)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["made a layer", "0", "1"]
    assert len(lines) == isolation.PRINTED + 1
    assert "left out" in lines[-1]


RAISING = """
import sys
import numpy as np
def value(): raise ValueError("of \\n two lines")
def inside(): return value()
def exits(): sys.exit(3)
def interrupts(): raise KeyboardInterrupt
def later(): raise NotImplementedError("TODO")
def library(): return np.ones(3) @ np.ones(4)
def chained():
    try:
        value()
    except ValueError as error:
        raise KeyError("k") from error
"""


@pytest.fixture
def raising(tmp_path: Path) -> dict[str, Any]:
    return dict(lifted(tmp_path, RAISING).names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("inside", "layer.py:4 in value: ValueError: of two lines"),
        ("exits", "layer.py:6 in exits: SystemExit: 3"),
        ("interrupts", "layer.py:7 in interrupts: KeyboardInterrupt"),
        ("later", "layer.py:8 in later: NotImplementedError: TODO"),
        ("chained", "layer.py:14 in chained: KeyError: 'k'"),
    ],
)
def test_what_the_layer_raises(raising: dict[str, Any], name: str, said: str) -> None:
    with pytest.raises(LayerRaised) as caught, isolation.guarded("layer.py:it"):
        raising[name]()
    assert str(caught.value) == said
    assert isinstance(caught.value, NotImplementedByLayer) is (name == "later")
    assert caught.value.__cause__ is not None
    shown = isolation.frames(caught.value)
    assert f"in {name}" in shown
    assert "isolation.py" not in shown


def test_frames_are_the_users_alone(raising: dict[str, Any]) -> None:
    with pytest.raises(LayerRaised) as caught, isolation.guarded("it"):
        raising["library"]()
    assert str(caught.value).startswith("layer.py:9 in library: ValueError: matmul")
    with pytest.raises(LayerRaised) as caught, isolation.guarded("it"):
        raising["chained"]()
    shown = isolation.frames(caught.value)
    assert "direct cause" in shown
    assert shown.count("in value") == 1


def test_a_call_that_does_not_fit_names_the_layer() -> None:
    ours = compile("with guarded('layer.py:it'):\n    (lambda x: x)()\n", f"{isolation.OURS}some.py", "exec")
    with pytest.raises(LayerRaised, match=r"^layer.py:it: TypeError: .*missing 1 required") as caught:
        exec(ours, {"guarded": isolation.guarded})
    assert isinstance(caught.value.__cause__, TypeError)


def test_our_own_errors_pass_through() -> None:
    for kind in (BadInput, LayerRaised):
        with pytest.raises(kind, match=r"^as it is$"), isolation.guarded("it"):
            raise kind("as it is")


def test_a_persons_interrupt_is_not_the_layers() -> None:
    with pytest.raises(KeyboardInterrupt), isolation.guarded("it"):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("none_04.py", "BatchNorm asks itself for tiniest, and its base class nowhere.base.Layer is missing"),
        ("none_05.py", "as engine.Tensor would make, which is missing"),
    ],
)
def test_what_is_missing_is_blamed_and_not_the_layer(file: str, said: str) -> None:
    with pytest.raises(BadInput, match="cannot be checked") as caught:
        resolve(str(LAYERS / file))
    assert said in str(caught.value)


def test_the_glue_imports_what_is_no_identifier_too(tmp_path: Path) -> None:
    file = write(tmp_path, {"24.py": "def other(): pass\n"}) / "24.py"
    with pytest.raises(BadInput) as caught:
        resolve(str(file))
    assert 'importlib.import_module("24")' in caught.value.example


def test_another_librarys_reduce_is_not_pythons() -> None:
    assert isinstance(stubs.member("einops", "reduce"), stubs.Stub)
    assert stubs.member("six.moves", "reduce") is functools.reduce
