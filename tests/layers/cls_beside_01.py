import numpy as np


class Batchnorm:
    def __init__(self, size):
        self.eps = 1e-4
        self.gamma, self.beta = np.ones((size, 1)), np.zeros((size, 1))
        self.moving_mean, self.moving_var = np.zeros((size, 1)), np.ones((size, 1))

    def batch_norm_forward(self, x, momentum=0.9):
        mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
        self.moving_mean = momentum * self.moving_mean + (1 - momentum) * mean
        self.moving_var = momentum * self.moving_var + (1 - momentum) * var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def batch_norm_backward(self, dout, x, alpha):
        g = dout * self.gamma
        dx = (g - g.mean(axis=1, keepdims=True) - self.xhat * (g * self.xhat).mean(axis=1, keepdims=True)) / self.std
        self.gamma = self.gamma - alpha * (dout * self.xhat).sum(axis=1, keepdims=True)
        self.beta = self.beta - alpha * dout.sum(axis=1, keepdims=True)
        return dx

    def batch_norm(self, x):
        return self.gamma * (x - self.moving_mean) / np.sqrt(self.moving_var + self.eps) + self.beta
