from common.np import *  # numpy or cupy
from common.config import GPU


class BatchNormalization:
    def __init__(self, gamma, beta, momentum=0.9):
        self.params = [gamma, beta]
        self.grads = [np.zeros_like(gamma), np.zeros_like(beta)]
        self.momentum = momentum
        self.running_mean = np.zeros_like(gamma)
        self.running_var = np.ones_like(gamma)
        self.cache = None

    def forward(self, x, train_flg=True):
        gamma, beta = self.params
        if not train_flg:
            return gamma * (x - self.running_mean) / np.sqrt(self.running_var + 1e-7) + beta
        mu = x.mean(axis=0)
        var = x.var(axis=0)
        std = np.sqrt(var + 1e-7)
        xn = (x - mu) / std
        self.cache = (xn, std)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mu
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        return gamma * xn + beta

    def backward(self, dout):
        gamma, beta = self.params
        xn, std = self.cache
        self.grads[0][...] = np.sum(dout * xn, axis=0)
        self.grads[1][...] = np.sum(dout, axis=0)
        dxn = dout * gamma
        dx = (dxn - dxn.mean(axis=0) - xn * np.mean(dxn * xn, axis=0)) / std
        return dx
