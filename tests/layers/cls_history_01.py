import numpy as np


class BN:
    def __init__(self, size):
        self.size = size
        self.W = np.ones(size)
        self.B = np.zeros(size)
        self.mus, self.vars = [], []

    def fwd(self, X, train):
        if train:
            self.X = X
            self.mu = X.mean(axis=0)
            self.var = X.var(axis=0)
            self.mus.append(self.mu)
            self.vars.append(self.var)
            mu, var = self.mu, self.var
        else:
            mu, var = np.mean(self.mus, axis=0), np.mean(self.vars, axis=0)
        self.Xh = (X - mu) / np.sqrt(var + 1e-7)
        return self.W * self.Xh + self.B

    def bwd(self, G):
        self.dW = (G * self.Xh).sum(0)
        self.dB = G.sum(0)
        g = G * self.W
        return (g - g.mean(0) - self.Xh * (g * self.Xh).mean(0)) / np.sqrt(self.var + 1e-7)
