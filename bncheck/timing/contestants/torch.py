"""torch.autograd.gradcheck, slow and fast, of torch's own batch normalization."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import batch_norm

from bncheck.batch import Batch
from bncheck.settings import LayerSettings
from bncheck.timing.checker import Checked, Checker, Counted


def checker(batch: Batch, form: str) -> Checker:
    torch.set_num_threads(1)
    eps, dout = LayerSettings().eps, torch.from_numpy(batch.dout)
    inputs = [torch.tensor(array, requires_grad=True) for array in (batch.x, batch.gamma, batch.beta)]

    def loss(x: Any, gamma: Any, beta: Any) -> Any:
        return (batch_norm(x, None, None, gamma, beta, training=True, eps=eps) * dout).sum()

    def check() -> Checked:
        counted = Counted(loss)
        accepted = torch.autograd.gradcheck(counted, inputs, fast_mode=form == "fast", raise_exception=False)
        return Checked(bool(accepted), counted.calls)

    return Checker(check, lambda: loss(*inputs), str(torch.__version__))
