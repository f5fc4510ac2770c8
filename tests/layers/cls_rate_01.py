import numpy as np


class BatchNormLayer:
    """Steps by itself, at a rate that nobody can set."""

    def __init__(self, width, eps=1e-5, momentum=0.9):
        self.gamma, self.beta = np.ones(width), np.zeros(width)
        self.eps, self.momentum = eps, momentum
        self.running_mean, self.running_var = np.zeros(width), np.ones(width)

    def forward(self, x, training=True):
        mean, var = self.running_mean, self.running_var
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        g = dout * self.gamma
        self.gamma = self.gamma - 0.01 * np.sum(dout * self.xhat, axis=0)
        self.beta = self.beta - 0.01 * np.sum(dout, axis=0)
        return (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)) / self.std
