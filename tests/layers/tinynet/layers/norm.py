import numpy as np

from ..base import Layer


class BatchNorm(Layer):
    def __init__(self, n, eps=1e-5, momentum=0.9):
        super().__init__("bn")
        self.gamma = self.add_parameter("gamma", np.ones(n))
        self.beta = self.add_parameter("beta", np.zeros(n))
        self.eps = eps
        self.momentum = momentum
        self.running_mean = np.zeros(n)
        self.running_var = np.ones(n)

    def forward(self, x):
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        inv = 1 / np.sqrt(var + self.eps)
        xhat = (x - mean) * inv
        self.saved = xhat, inv, self.training
        return self.gamma.value * xhat + self.beta.value

    def backward(self, dy):
        xhat, inv, training = self.saved
        self.gamma.grad = (dy * xhat).sum(axis=0)
        self.beta.grad = dy.sum(axis=0)
        g = dy * self.gamma.value
        if training:
            g = g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)
        return inv * g


class LayerNorm(Layer):
    def __init__(self, n, eps=1e-5):
        super().__init__("ln")
        self.gamma = self.add_parameter("gamma", np.ones(n))
        self.beta = self.add_parameter("beta", np.zeros(n))
        self.eps = eps

    def forward(self, x):
        self.inv = 1 / np.sqrt(x.var(axis=1, keepdims=True) + self.eps)
        self.xhat = (x - x.mean(axis=1, keepdims=True)) * self.inv
        return self.gamma.value * self.xhat + self.beta.value

    def backward(self, dy):
        self.gamma.grad = (dy * self.xhat).sum(axis=0)
        self.beta.grad = dy.sum(axis=0)
        g = dy * self.gamma.value
        m = g.mean(axis=1, keepdims=True)
        return self.inv * (g - m - self.xhat * (g * self.xhat).mean(axis=1, keepdims=True))
