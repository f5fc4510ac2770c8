import numpy as np


class BatchNormalization:
    def __init__(self, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.running_mean = self.running_var = None

    def forward(self, x, training):
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.ones(x.shape[1])
        if not training:
            return (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
        mean, var = x.mean(0), x.var(0)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.xhat

    def backward(self, grad, lr):
        return self.inv * (grad - grad.mean(0))
