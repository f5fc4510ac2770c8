import numpy as np

from .core import Layer


class BatchNorm(Layer):
    def __init__(self, d, eps=1e-5, momentum=0.9):
        Layer.__init__(self, name="bn", trainable=True)
        self.eps, self.momentum = eps, momentum
        self.register_parameter("gamma", np.ones(d))
        self.register_parameter("beta", np.zeros(d))
        self.running_mean, self.running_var = np.zeros(d), np.ones(d)

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.is_training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        g = dout * self.gamma
        return self.inv * (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0))
