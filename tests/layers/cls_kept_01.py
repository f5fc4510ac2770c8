import numpy as np


class HiddenLayer:
    """The forward returns its output alone; the backward is handed what it left behind."""

    def __init__(self, width, momentum=0.9):
        self.training = True
        self.momentum = momentum
        self.running_mean = np.zeros(width)
        self.running_var = np.ones(width)

    def bn_forward(self, x, gamma, beta):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        inv = 1.0 / np.sqrt(var + 1e-5)
        xhat = (x - mean) * inv
        self.saved_for_bn = (xhat, gamma, inv)
        return gamma * xhat + beta

    def bn_backward(self, dout, cache):
        xhat, gamma, inv = cache
        dxhat = dout * gamma
        dx = inv * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0))
        return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)

    def train_step(self, x, dout, gamma, beta):
        self.bn_forward(x, gamma, beta)
        return self.bn_backward(dout, self.saved_for_bn)
