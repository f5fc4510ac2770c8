import numpy as np


class BatchNormLayer:
    def __init__(self):
        self.gamma = None
        self.beta = None
        self.eps = 1e-8

    def forward(self, x):
        if self.gamma is None:
            self.gamma = np.ones(x.shape[1])
            self.beta = np.zeros(x.shape[1])
        self.mean = x.mean(axis=0)
        self.var = x.var(axis=0)
        self.x_hat = (x - self.mean) / np.sqrt(self.var + self.eps)
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout):
        N = dout.shape[0]
        self.dgamma = np.sum(dout * self.x_hat, axis=0)
        self.dbeta = np.sum(dout, axis=0)
        dx_hat = dout * self.gamma
        dx = 1.0 / N / np.sqrt(self.var + self.eps) * (
            N * dx_hat - dx_hat.sum(axis=0) - self.x_hat * (dx_hat * self.x_hat).sum(axis=0))
        return dx
