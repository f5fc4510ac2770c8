from typing import Dict, Optional

import numpy as np


class BatchNorm1D:
    """Everything trainable lives in ``params``, its gradients in ``grads`` under the same key."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.eps = eps
        self.momentum = momentum
        self.params: Dict[str, np.ndarray] = {
            "gamma": np.ones(num_features),
            "beta": np.zeros(num_features),
        }
        self.grads: Dict[str, np.ndarray] = {k: np.zeros_like(v) for k, v in self.params.items()}
        self.buffers = {"running_mean": np.zeros(num_features), "running_var": np.ones(num_features)}
        self.training = True
        self._cache: Optional[tuple] = None

    def train(self) -> None:
        self.training = True

    def eval(self) -> None:
        self.training = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            for key, new in (("running_mean", mean), ("running_var", var)):
                self.buffers[key] = (1 - self.momentum) * self.buffers[key] + self.momentum * new
        else:
            mean, var = self.buffers["running_mean"], self.buffers["running_var"]
        inv = 1.0 / np.sqrt(var + self.eps)
        xhat = (x - mean) * inv
        self._cache = (xhat, inv, self.training)
        return self.params["gamma"] * xhat + self.params["beta"]

    def backward(self, grad: np.ndarray) -> np.ndarray:
        xhat, inv, was_training = self._cache
        self.grads["gamma"] = (grad * xhat).sum(axis=0)
        self.grads["beta"] = grad.sum(axis=0)
        g = grad * self.params["gamma"]
        if not was_training:
            return g * inv
        return inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
