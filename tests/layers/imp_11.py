import numpy as np

from activations_of_ours import lookup


class BatchNorm:
    """Fused with an activation that a missing module knows."""

    def __init__(self, width, activation="identity", eps=1e-5):
        self.gamma, self.beta = np.ones(width), np.zeros(width)
        self.activation = lookup(activation)
        self.eps = eps

    def forward(self, x):
        self.inv = 1.0 / np.sqrt(x.var(axis=0) + self.eps)
        self.xhat = (x - x.mean(axis=0)) * self.inv
        return self.activation["forward"](self.gamma * self.xhat + self.beta)

    def backward(self, dout):
        inner = dout * self.gamma
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        return self.inv * (inner - inner.mean(axis=0) - self.xhat * (inner * self.xhat).mean(axis=0))


class SpatialBatchNorm(BatchNorm):
    def forward(self, x):
        n, c, h, w = x.shape
        rows = np.moveaxis(x, 1, -1).reshape(-1, c)
        return np.moveaxis(super().forward(rows).reshape(n, h, w, c), -1, 1)

    def backward(self, dout):
        n, c, h, w = dout.shape
        rows = np.moveaxis(dout, 1, -1).reshape(-1, c)
        return np.moveaxis(super().backward(rows).reshape(n, h, w, c), -1, 1)
