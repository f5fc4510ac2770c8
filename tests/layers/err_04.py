import numpy as np


class BatchNorm:
    def __init__(self, dim, eps=1e-5, momentum=0.9):
        self.gamma = np.ones((dim, 1))
        self.beta = np.zeros((dim, 1))
        self.eps = eps
        self.momentum = momentum
        self.running_mean = np.zeros(dim)
        self.running_var = np.ones(dim)

    def forward(self, x, training=True):
        N, D = x.shape
        if training:
            mean, var = np.mean(x, axis=0), np.var(x, axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        self.std = np.sqrt(var + self.eps)
        self.xhat = np.divide(x - mean, self.std).reshape(N, D, 1)
        out = np.matmul(self.gamma.reshape(1, D), self.xhat.reshape(N, D)) + self.beta.T
        return out

    def backward(self, dout):
        N, D = dout.shape
        xhat = self.xhat.reshape(N, D)
        self.dgamma = np.sum(dout * xhat, axis=0).reshape(D, 1)
        self.dbeta = np.sum(dout, axis=0).reshape(D, 1)
        g = dout * self.gamma.T
        return (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / self.std
