import numpy as np
from smallnet import conf
from smallnet.types import FLOAT_TYPE


class BatchNorm:
    """The dtype is a setting of a package that is not here."""

    def __init__(self, width, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma = np.ones(width, dtype=conf.dtype)
        self.beta = np.zeros(width, dtype=conf.DTYPE)
        self.running_mean = np.zeros(width, dtype=FLOAT_TYPE)
        self.running_var = np.ones(width, FLOAT_TYPE)

    def forward(self, x, train=True):
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.root
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        inner = dout * self.gamma
        return (inner - inner.mean(axis=0) - self.xhat * (inner * self.xhat).mean(axis=0)) / self.root
