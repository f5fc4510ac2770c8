"""What a layer over tensors has beside gamma, beta and its averages: contexts, parts of a batch, hidden states."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from bncheck.batch import generate
from bncheck.checks.suite import check_layer
from bncheck.errors import BadInput
from bncheck.layers.protocol import Layer
from bncheck.layers.resolve import Resolved, resolve
from bncheck.report import Report
from bncheck.vocabulary import Severity, Verdict

BATCH = generate(12, 6)
HEAD = """
import torch
from torch import nn


class BatchNorm(nn.Module):
    def __init__(self, n, eps=1e-5, momentum=0.1):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.register_buffer("running_mean", torch.zeros(n))
        self.register_buffer("running_var", torch.ones(n))
        self.eps, self.momentum = eps, momentum
"""


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def loaded(folder: Path, code: str) -> Resolved:
    file = folder / "piece.py"
    file.write_text(code)
    return resolve(str(file))


def layer_of(folder: Path, body: str, head: str = HEAD) -> Layer:
    (layer,) = loaded(folder, head + textwrap.indent(textwrap.dedent(body), "    ")).layers
    return layer


def errors(layer: Layer) -> set[str]:
    report: Report = check_layer(layer, BATCH)
    found = {finding.code for finding in report.findings if finding.severity is Severity.ERROR}
    assert (report.verdict is Verdict.PASS) == (not found)
    return found


CONTEXT = """
import torch


class Modulated(torch.nn.Module):
    '''Batch norm that a style may modulate.'''

    def __init__(self, n, style_dim, eps=1e-5):
        super().__init__()
        self.weight_0, self.bias_0 = torch.nn.Parameter(torch.ones(n)), torch.nn.Parameter(torch.zeros(n))
        self.more = torch.nn.Linear(style_dim, n)
        self.eps = eps

    def forward(self, x, style=None):
        xhat = (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased={unbiased}) + self.eps)
        return xhat * (self.weight_0 if style is None else self.weight_0 + self.more(style)) + self.bias_0
"""


@pytest.mark.parametrize("unbiased", [False, True])
def test_what_a_context_would_do_is_left_out_and_said(torch: Any, tmp_path: Path, unbiased: bool) -> None:
    found = loaded(tmp_path, CONTEXT.format(unbiased=unbiased))
    assert "piece.py:Modulated: it is checked without style, and more is not looked at" in found.notes
    assert errors(found.layers[0]) == ({"BN301", "BN411"} if unbiased else {"BN411"})


def test_two_layers_in_one_of_which_one_is_idle_are_not_mixed_up(torch: Any, tmp_path: Path) -> None:
    code = """
        import torch
        class BatchNorm(torch.nn.Module):
            def __init__(self, n):
                super().__init__()
                self.other, self.own = torch.nn.BatchNorm1d(n), torch.nn.BatchNorm1d(n)
            def forward(self, x, other=False):
                return self.other(x) if other else self.own(x)
        """
    with pytest.raises(BadInput, match="learns more than one gamma and one beta"):
        loaded(tmp_path, textwrap.dedent(code))


GHOST = """
import torch


class GhostBatchNorm(torch.nn.Module):
    def __init__(self, n, parts=3, momentum=0.02):
        super().__init__()
        self.bn, self.parts = torch.nn.BatchNorm1d(n, momentum=momentum), parts

    def forward(self, x):
        return torch.cat([self.bn(part) for part in x.chunk(self.parts)]) if self.training else self.bn(x)
"""


def test_a_share_taken_for_each_part_of_a_batch_is_no_reversed_one(torch: Any, tmp_path: Path) -> None:
    (layer,) = loaded(tmp_path, GHOST).layers
    assert "momentum = share taken" in layer.traits.recognised
    assert layer.traits.kept_by_default == pytest.approx(0.98)
    assert "BN406" not in errors(layer)


HIDDEN = """
def forward(self, x):
    if self.training:
        m, v = x.mean(0), x.var(0, unbiased=False)
        now = torch.stack([m, v]).detach()
        self.seen = now if self.seen is None else 0.9 * self.seen + {taken} * now
    else:
        m, v = self.seen
    return self.gamma * (x - m) / torch.sqrt(v + self.eps) + self.beta
"""
PLAIN = """
import torch
class BatchNorm(torch.nn.Module):
    def __init__(self, n, eps=1e-5):
        super().__init__()
        self.gamma, self.beta = torch.nn.Parameter(torch.ones(n)), torch.nn.Parameter(torch.zeros(n))
        self.eps, self.seen = eps, None
"""


@pytest.mark.parametrize(("taken", "codes"), [(0.1, set()), (0.9, {"BN412"})])
def test_what_test_mode_goes_by_may_have_no_known_name(
    torch: Any, tmp_path: Path, taken: float, codes: set[str]
) -> None:
    layer = layer_of(tmp_path, HIDDEN.format(taken=taken), PLAIN)
    assert "has no name known here" in layer.traits.unreached
    assert errors(layer) == codes


DIVIDED = """
def forward(self, x):
    self.steps = getattr(self, "steps", 0)
    if self.training:
        m, v = x.mean(0), x.var(0, unbiased=False)
        self.steps += 1
        self.running_mean = 0.9 * self.running_mean + 0.1 * m.detach()
        self.running_var = 0.9 * self.running_var + 0.1 * v.detach()
    else:
        by = {by}
        m, v = self.running_mean / by, self.running_var / by
    return self.gamma * (x - m) / torch.sqrt(v + self.eps) + self.beta
"""


@pytest.mark.parametrize(
    ("by", "codes"), [("(1 - 0.9**self.steps) if self.steps else 1e-300", set()), ("0.8", {"BN412"})]
)
def test_averages_may_be_divided_by_what_they_weigh(torch: Any, tmp_path: Path, by: str, codes: set[str]) -> None:
    head = HEAD.replace('"running_var", torch.ones', '"running_var", torch.zeros')
    assert errors(layer_of(tmp_path, DIVIDED.format(by=by), head)) == codes


COUNTED = """
def forward(self, x):
    if self.training:
        self.rows = len(x)
        m, v = x.mean(0), x.var(0, unbiased=False)
        self.running_mean = 0.9 * self.running_mean + 0.1 * m.detach()
        self.running_var = 0.9 * self.running_var + 0.1 * v.detach()
    else:
        m, v = self.running_mean, self.running_var{scaled}
    return self.gamma * (x - m) / torch.sqrt(v + self.eps) + self.beta
"""


@pytest.mark.parametrize(("scaled", "codes"), [("", set()), (' * len(x) / getattr(self, "rows", len(x))', {"BN409"})])
def test_rows_come_out_alike_whoever_comes_with_them(torch: Any, tmp_path: Path, scaled: str, codes: set[str]) -> None:
    assert errors(layer_of(tmp_path, COUNTED.format(scaled=scaled))) == codes


TEST_MODE_RAISES = """
def forward(self, x):
    return Rule.apply(x, self.gamma, self.beta, self.running_mean, self.running_var, self.training, self.eps)


class Rule(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta, mean, var, training, eps):
        if not training:
            return gamma * (x - mean) / torch.sqrt(var + eps) + beta
        m, v = x.mean(0), x.var(0, unbiased=False)
        inv = torch.rsqrt(v + eps)
        ctx.save_for_backward((x - m) * inv, gamma, inv)
        mean.lerp_(m, 0.1), var.lerp_(v, 0.1)
        return gamma * (x - m) * inv + beta

    @staticmethod
    def backward(ctx, dout):
        xhat, gamma, inv = ctx.saved_tensors
        g = dout * gamma
        dx = inv * (g - {mean} - xhat * (g * xhat).mean(0))
        return dx, (dout * xhat).sum(0), dout.sum(0), None, None, None, None
"""


@pytest.mark.parametrize(("mean", "codes"), [("g.mean(0)", {"BN001"}), ("0", {"BN001", "BN102"})])
def test_what_raises_in_test_mode_hides_nothing_of_training(
    torch: Any, tmp_path: Path, mean: str, codes: set[str]
) -> None:
    method, rule = TEST_MODE_RAISES.format(mean=mean).split("\n\n\n")
    found = loaded(tmp_path, HEAD + textwrap.indent(method, "    ") + "\n\n" + rule)
    (layer,) = (one for one in found.layers if one.name.endswith("BatchNorm"))
    assert errors(layer) == codes


OF_PICTURES = """
import torch


def batch_norm(x, gamma, beta, mean, var, eps, momentum):
    if not torch.is_grad_enabled():
        xhat = (x - mean) / torch.sqrt(var + eps)
        {test}
    else:
        m = x.mean((0, 2, 3), keepdim=True)
        v = ((x - m) ** 2).mean((0, 2, 3), keepdim=True)
        xhat = (x - m) / torch.sqrt(v + eps)
        mean, var = momentum * mean + (1 - momentum) * m, momentum * var + (1 - momentum) * v
    return gamma * xhat + beta, mean.detach(), var.detach()
"""


@pytest.mark.parametrize(("test", "codes"), [("", set()), ("xhat = unheard_of", {"BN001"})])
def test_a_mode_told_by_gradients_is_found_for_pictures_too(
    torch: Any, tmp_path: Path, test: str, codes: set[str]
) -> None:
    (layer,) = loaded(tmp_path, OF_PICTURES.format(test=test)).layers
    assert layer.traits.has_test_mode
    assert errors(layer) == codes


@pytest.mark.parametrize("taken", ["*args", "**kwargs", "*args, **kwargs"])
def test_a_constructor_may_hand_on_what_it_is_given(torch: Any, tmp_path: Path, taken: str) -> None:
    code = f"""
        import torch
        class MyBatchNorm(torch.nn.BatchNorm1d):
            def __init__(self, {taken}):
                super().__init__({taken})
        """
    (layer,) = loaded(tmp_path, textwrap.dedent(code)).layers
    assert errors(layer) == set()


@pytest.mark.parametrize(("unbiased", "codes"), [(False, set()), (True, {"BN301"})])
def test_one_variance_of_all_entries_is_of_so_many(torch: Any, tmp_path: Path, unbiased: bool, codes: set[str]) -> None:
    body = f"""
        def forward(self, x):
            return self.gamma * (x - x.mean()) / torch.sqrt(x.var(unbiased={unbiased}) + self.eps) + self.beta
        """
    assert errors(layer_of(tmp_path, body)) == {"BN306", "BN401", "BN408", *codes}


def test_what_cannot_be_left_out_is_named(torch: Any, tmp_path: Path) -> None:
    code = """
        import torch
        class ConditionalBatchNorm(torch.nn.Module):
            def __init__(self, n, labels: int):
                super().__init__()
                self.gamma, self.beta = torch.nn.Embedding(labels, n), torch.nn.Embedding(labels, n)
            def forward(self, x, label):
                return self.gamma(label) * (x - x.mean(0)) / x.std(0) + self.beta(label)
        """
    with pytest.raises(BadInput, match="its forward pass asks for label beside x"):
        loaded(tmp_path, textwrap.dedent(code))
