import numpy as np
from minigrad.tensor import Tensor


class BatchNorm:
    """Takes and returns tensors of a package that is not here."""

    def __init__(self, width, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = Tensor(np.ones(width)), Tensor(np.zeros(width))
        self.running_mean, self.running_var = np.zeros(width), np.ones(width)
        self.training = True

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.value.mean(axis=0), x.value.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.x = x
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x.value - mean) / self.root
        self.out = Tensor(self.gamma.value * self.xhat + self.beta.value)
        return self.out

    def backward(self):
        grad = self.out.grad
        self.gamma.grad, self.beta.grad = (grad * self.xhat).sum(axis=0), grad.sum(axis=0)
        inner = grad * self.gamma.value
        self.x.grad = (inner - inner.mean(axis=0) - self.xhat * (inner * self.xhat).mean(axis=0)) / self.root
