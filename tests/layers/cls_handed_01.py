import numpy as np


class BatchNorm:
    """Reads x and dout from itself: layer.input = x; layer.forward(); layer.output; layer.delta = dout; layer.backward()."""

    def __init__(self, width, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.input = self.output = self.delta = self.dx = None
        self.gamma, self.beta = np.ones(width), np.zeros(width)
        self.dgamma = self.dbeta = None
        self.running_mean, self.running_var = np.zeros(width), np.ones(width)

    def forward(self, train=True):
        x = self.input
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.root
        self.output = self.gamma * self.xhat + self.beta

    def backward(self, train=True):
        if train:
            self.dgamma = (self.delta * self.xhat).sum(axis=0)
            self.dbeta = self.delta.sum(axis=0)
            inner = self.delta * self.gamma
            self.dx = (inner - inner.mean(axis=0) - self.xhat * (inner * self.xhat).mean(axis=0)) / self.root
        else:
            self.delta = None
