import numpy as np


class BatchNorm:
    """A sample is a column of x, and a row of what goes back."""

    def __init__(self, size, decay=0.99, eps=1e-6):
        self.decay, self.eps = decay, eps
        self.gamma, self.beta = np.ones((size, 1)), np.zeros((size, 1))
        self.avg_mean, self.avg_var = np.zeros((size, 1)), np.ones((size, 1))

    def forward(self, x, train=False):
        mean, var = self.avg_mean, self.avg_var
        if train:
            mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
            self.avg_mean = self.decay * self.avg_mean + (1 - self.decay) * mean
            self.avg_var = self.decay * self.avg_var + (1 - self.decay) * var
        self.inv = (var + self.eps) ** -0.5
        self.xhat = (x - mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, grad):
        g = grad.T
        self.dgamma = (g * self.xhat).sum(axis=1, keepdims=True)
        self.dbeta = g.sum(axis=1, keepdims=True)
        g = g * self.gamma
        inner = g - g.mean(axis=1, keepdims=True) - self.xhat * (g * self.xhat).mean(axis=1, keepdims=True)
        return (self.inv * inner).T
