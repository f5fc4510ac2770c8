import numpy as np

from .core import Layer


class BatchNorm(Layer):
    def __init__(self, d, eps=1e-5, momentum=0.9):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma, self.dgamma = self.add_parameter("gamma", (d,), initializer=np.ones)
        self.beta, self.dbeta = self.add_parameter("beta", (d,), initializer=np.zeros)
        self.running_mean, self.running_var = np.zeros(d), np.ones(d)

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.is_training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / (np.sqrt(var) + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        g = dout * self.gamma
        return self.inv * (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0))
