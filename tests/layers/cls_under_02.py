import numpy as np


class BN:
    def __init__(self, D, momentum=0.9, eps=1e-5):
        self.gamma, self.beta = np.ones(D), np.zeros(D)
        self.momentum, self.eps = momentum, eps
        self.running_mean, self.running_var = np.zeros(D), np.ones(D)

    def forward_(self, x, train=True):
        if train:
            self.mu, self.var = x.mean(0), x.var(0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mu
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
            self.xh = (x - self.mu) / np.sqrt(self.var + self.eps)
            return self.gamma * self.xh + self.beta
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta

    def backward_(self, dy):
        n = dy.shape[0]
        dbeta = dy.sum(0)
        dgamma = (dy * self.xh).sum(0)
        dx = self.gamma / np.sqrt(self.var + self.eps) * (dy - self.xh * dgamma / n)
        return dx, dbeta, dgamma
