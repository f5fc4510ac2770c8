import numpy as np


class Dense:
    """The backward wants the input that only the pass of the whole layer keeps."""

    def __init__(self, n_in, n_out, eps=1e-5):
        self.W = np.random.randn(n_in, n_out)
        self.gamma, self.beta = np.ones(n_out), np.zeros(n_out)
        self.eps = eps

    def run_layer(self, a):
        z = a @ self.W
        self.before_norm = z + 0.0
        return self.batchnorm_forward(z)

    def batchnorm_forward(self, z):
        self.mean, self.inv = z.mean(axis=0), 1.0 / np.sqrt(z.var(axis=0) + self.eps)
        return self.gamma * (z - self.mean) * self.inv + self.beta

    def batchnorm_backward(self, dout):
        zhat = (self.before_norm - self.mean) * self.inv
        self.dgamma, self.dbeta = (dout * zhat).sum(axis=0), dout.sum(axis=0)
        inner = dout * self.gamma
        return self.inv * (inner - inner.mean(axis=0) - zhat * (inner * zhat).mean(axis=0))
