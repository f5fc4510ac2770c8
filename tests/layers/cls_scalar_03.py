import numpy as np


class BatchNorm:
    def __init__(self, momentum=0.9, eps=1e-5):
        self.gamma = 1.0
        self.beta = 0.0
        self.momentum, self.eps = momentum, eps
        self.running_mean, self.running_var = 0.0, 1.0

    def forward(self, x, training=True):
        if training:
            mean, var = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, dout, learning_rate):
        g = dout * self.gamma
        dx = self.inv * (g - g.mean(axis=0, keepdims=True) - self.xhat * (g * self.xhat).mean(axis=0, keepdims=True))
        self.gamma -= learning_rate * (dout * self.xhat).sum(axis=0, keepdims=True)
        self.beta -= learning_rate * dout.sum(axis=0, keepdims=True)
        return dx
