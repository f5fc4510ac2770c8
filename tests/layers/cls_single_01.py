import numpy as np


class BatchNorm:
    """Starts with a gamma and a beta of one number for all columns, whose gradients have one for each."""

    def __init__(self, n, eps=1e-5, momentum=0.9):
        self.eps, self.momentum = eps, momentum
        self.gamma = np.ones((1,))
        self.beta = np.zeros((1,))
        self.running_mean = np.zeros(n)
        self.running_var = np.ones(n)

    def forward(self, x, training=True):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        self.inv = 1.0 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, err):
        g = err * self.gamma
        dx = self.inv * (g - np.mean(g, axis=0) - self.xhat * np.mean(g * self.xhat, axis=0))
        self.dgamma = np.sum(err * self.xhat, axis=0)
        self.dbeta = np.sum(err, axis=0)
        return dx
