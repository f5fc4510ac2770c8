import numpy as np


class BatchNorm:
    def __init__(self, size):
        self.eps = 1e-4
        self.gamma = np.ones(size)
        self.beta = np.zeros(size)
        self.running_mean = np.zeros(size)
        self.running_var = np.ones(size)

    def batchnorm_forward(self, x, train=True, momentum=0.9):
        if train:
            mu, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = momentum * self.running_mean + (1 - momentum) * mu
            self.running_var = momentum * self.running_var + (1 - momentum) * var
            self.cache = ((x - mu) / np.sqrt(var + self.eps), 1 / np.sqrt(var + self.eps))
            return self.gamma * self.cache[0] + self.beta
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta

    def batchnorm_backward(self, dout):
        x_hat, inv = self.cache
        d = dout * self.gamma
        dx = inv * (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0))
        return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)

    def update(self, dgamma, dbeta, lr):
        self.gamma = self.gamma - lr * dgamma
        self.beta = self.beta - lr * dbeta
