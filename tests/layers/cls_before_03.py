import numpy as np


class BatchNormLayer:
    """As cls_before_02.py, and the sums are divided by the width of the layer before."""

    def __init__(self, momentum=0.9):
        self.momentum = momentum
        self.gamma, self.beta = 1.0, 0.0
        self.moving_mean, self.moving_var = 0.0, 1.0

    def attach(self, prev_activation, prev_dim):
        self.before = prev_activation
        self.width = prev_dim

    def forward(self, x, mode="train"):
        if mode == "train":
            self.mean, self.var = x.mean(axis=0), x.var(axis=0)
            self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * self.mean
            self.moving_var = self.momentum * self.moving_var + (1 - self.momentum) * self.var
        else:
            self.mean, self.var = self.moving_mean, self.moving_var
        self.x = x.reshape(-1, self.width)
        self.inv = 1 / np.sqrt(self.var + 1e-8)
        self.xhat = (x - self.mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, delta):
        self.dgamma, self.dbeta = (delta * self.xhat).sum(axis=0), delta.sum(axis=0)
        n = self.width
        inner = delta * self.gamma
        dx = self.inv * (inner - inner.sum(axis=0) / n - self.xhat * (inner * self.xhat).sum(axis=0) / n)
        return dx * self.before.derivative(self.x)
