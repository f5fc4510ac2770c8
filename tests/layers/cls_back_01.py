import numpy as np


class BatchNorm:
    """The running statistics move in the backward pass, once for each training step."""

    def __init__(self, width, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = np.ones(width), np.zeros(width)
        self.test_mean = self.test_var = None
        self.training = True

    def forward(self, x):
        if self.training:
            self.mean, self.var = x.mean(axis=0), x.var(axis=0)
        else:
            self.mean, self.var = self.test_mean, self.test_var
        self.root = np.sqrt(self.var + self.eps)
        self.xhat = (x - self.mean) / self.root
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        if self.test_mean is None:
            self.test_mean, self.test_var = self.mean, self.var
        else:
            self.test_mean = self.momentum * self.test_mean + (1 - self.momentum) * self.mean
            self.test_var = self.momentum * self.test_var + (1 - self.momentum) * self.var
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dxhat = dout * self.gamma
        return (dxhat - dxhat.mean(axis=0) - self.xhat * (dxhat * self.xhat).mean(axis=0)) / self.root
