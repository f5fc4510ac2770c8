import numpy as np

from framework.registry import register_layer, Configurable
from framework.typing import Tensor


@register_layer("batch_norm")
class BatchNorm(Configurable):
    def __init__(self, n_features: int, epsilon: float = 1e-5, decay: float = 0.9):
        super().__init__()
        self.epsilon = epsilon
        self.decay = decay
        self.gamma: Tensor = np.ones(n_features)
        self.beta: Tensor = np.zeros(n_features)
        self.moving_mean: Tensor = np.zeros(n_features)
        self.moving_var: Tensor = np.ones(n_features)

    def forward_pass(self, x: Tensor, training: bool = True) -> Tensor:
        if training:
            mean, var = x.mean(0), x.var(0)
            self.moving_mean = self.decay * self.moving_mean + (1 - self.decay) * mean
            self.moving_var = self.decay * self.moving_var + (1 - self.decay) * var
            self.inv_std = 1 / np.sqrt(var + self.epsilon)
            self.normed = (x - mean) * self.inv_std
            return self.gamma * self.normed + self.beta
        return self.gamma * (x - self.moving_mean) / np.sqrt(self.moving_var + self.epsilon) + self.beta

    def backward_pass(self, grad: Tensor) -> Tensor:
        self.grad_gamma = (grad * self.normed).sum(0)
        self.grad_beta = grad.sum(0)
        g = grad * self.gamma
        return self.inv_std * (g - g.mean(0) - self.normed * (g * self.normed).mean(0))
