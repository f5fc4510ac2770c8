import numpy as np


class BatchNorm:
    """Keeps everything in single precision, whatever x is, and returns double."""

    def __init__(self, d, eps=1e-5, momentum=0.9):
        self.eps, self.momentum = eps, momentum
        self.gamma, self.beta = np.ones(d, np.float32), np.zeros(d, np.float32)
        self.running_mean, self.running_var = np.zeros(d, np.float32), np.ones(d, np.float32)

    def forward(self, x, training=True):
        mean, var = self.running_mean, self.running_var
        if training:
            mean, var = x.mean(axis=0, dtype=np.float32), x.var(axis=0, dtype=np.float32)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.eps, dtype=np.float32)
        self.hat = (x - mean) * self.inv
        return self.hat * self.gamma + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.hat).sum(axis=0, dtype=np.float32)
        self.dbeta = dout.sum(axis=0, dtype=np.float32)
        g = dout * self.gamma
        slope = (g * self.hat).mean(axis=0, dtype=np.float32)
        return self.inv * (g - self.hat * slope)
