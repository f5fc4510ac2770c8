import numpy as np


class BatchNorm:
    """Statistics with the layer's own prefix, the number 0 until training makes arrays of them."""

    def __init__(self, width, decay=0.9, eps=1e-8):
        self.decay, self.eps = decay, eps
        self.bn_gamma, self.bn_beta = np.ones(width), np.zeros(width)
        self.bn_mean = 0
        self.bn_var = 0

    def forward(self, x, mode="train"):
        mean, var = self.bn_mean, self.bn_var
        if mode == "train":
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.bn_mean = self.decay * self.bn_mean + (1 - self.decay) * mean
            self.bn_var = self.decay * self.bn_var + (1 - self.decay) * var
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.root
        return self.bn_gamma * self.xhat + self.bn_beta

    def backward(self, dout):
        n = len(dout)
        self.dgamma = np.sum(dout * self.xhat, axis=0)
        self.dbeta = np.sum(dout, axis=0)
        return self.bn_gamma / (n * self.root) * (n * dout - self.dbeta - self.xhat * self.dgamma)
