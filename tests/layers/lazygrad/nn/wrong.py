import numpy as np
from lazygrad.tensor import Tensor


class BatchNorm1D:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps, self.momentum, self.training = eps, momentum, True
        self.gamma, self.beta = Tensor(np.ones(num_features)), Tensor(np.zeros(num_features))
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.data.mean(axis=0), x.data.var(axis=0)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
        inv = 1 / np.sqrt(var + self.eps)
        hat = (x.data - mean) * inv
        out = Tensor(self.gamma.data * hat + self.beta.data, (x, self.gamma, self.beta))
        training = self.training

        def back():
            self.gamma.grad += (out.grad * hat).sum(axis=0)
            self.beta.grad += out.grad.sum(axis=0)
            g = out.grad * self.gamma.data * inv
            x.grad += g - hat * (g * hat).mean(axis=0) if training else g

        out._backward = back
        return out
