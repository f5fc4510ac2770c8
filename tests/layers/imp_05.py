import sys
import numpy as np


class BatchNorm(object):
    def __init__(self, size, eps=1e-5, rho=0.9):
        self.gamma = np.ones(size)
        self.beta = np.zeros(size)
        self.eps = eps
        self.rho = rho
        self.mean = np.zeros(size)
        self.var = np.ones(size)

    def forward(self, x, train=True):
        if train:
            mu, sigma2 = x.mean(0), x.var(0)
            self.mean = self.rho * self.mean + (1 - self.rho) * mu
            self.var = self.rho * self.var + (1 - self.rho) * sigma2
            self.inv = 1 / np.sqrt(sigma2 + self.eps)
            self.xhat = (x - mu) * self.inv
            return self.gamma * self.xhat + self.beta
        return self.gamma * (x - self.mean) / np.sqrt(self.var + self.eps) + self.beta

    def backward(self, dy):
        self.dbeta = dy.sum(0)
        self.dgamma = (dy * self.xhat).sum(0)
        dxhat = dy * self.gamma
        return self.inv * (dxhat - 2 * dxhat.mean(0) - self.xhat * (dxhat * self.xhat).mean(0))


def main():
    bn = BatchNorm(3)
    print(bn.forward(np.arange(12.0).reshape(4, 3)))
    return 0


sys.exit(main())
