import numpy as np


class BatchNorm1d:
    def __init__(self, channels, eps=1e-5, momentum=0.1):
        shape = (1, channels, 1)
        self.gamma, self.beta = np.ones(shape), np.zeros(shape)
        self.running_mean, self.running_var = np.zeros(shape), np.ones(shape)
        self.eps, self.momentum, self.training = eps, momentum, True

    def forward(self, x):
        if x.ndim != 3:
            raise ValueError("expected three dimensions")
        if self.training:
            mean, var = x.mean((0, 2), keepdims=True), x.var((0, 2), keepdims=True)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
        else:
            mean, var = self.running_mean, self.running_var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum((0, 2), keepdims=True)
        self.dbeta = dout.sum((0, 2), keepdims=True)
        g = dout * self.gamma
        dx = g - g.sum((0, 2), keepdims=True) / len(dout) - self.xhat * (g * self.xhat).mean((0, 2), keepdims=True)
        return dx * self.inv
