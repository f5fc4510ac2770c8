import numpy as np


class Parameter:
    def __init__(self, start):
        self.w = start
        self.dw = np.zeros_like(start)


class BatchNorm:
    def __init__(self, d, eps=1e-5, momentum=0.9):
        self.gamma, self.beta = Parameter(np.ones(d)), Parameter(np.zeros(d))
        self.running_mean, self.running_var = np.zeros(d), np.ones(d)
        self.eps, self.momentum = eps, momentum

    def forward(self, x, training=True):
        mean, var = self.running_mean, self.running_var
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.gamma.w * self.xhat + self.beta.w

    def backward(self, dout):
        self.gamma.dw += (dout * self.xhat).sum(axis=0)
        self.beta.dw += dout.sum(axis=0)
        g = dout * self.gamma.w
        return self.inv * (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0))
