import numpy as np


class BatchNorm(object):
    def __init__(self, D, momentum=0.9, eps=1e-5):
        self.gamma = np.ones(D)
        self.beta = np.zeros(D)
        self.momentum = momentum
        self.eps = eps
        self.avg_mean = np.zeros(D)
        self.avg_var = np.zeros(D)
        self.is_training = True

    def forward_(self, x):
        if self.is_training:
            mu = np.mean(x, axis=0)
            var = np.var(x, axis=0)
            self.avg_mean = self.momentum * self.avg_mean + (1. - self.momentum) * mu
            self.avg_var = self.momentum * self.avg_var + (1. - self.momentum) * var
            self.x_hat_ = (x - mu) / np.sqrt(var + self.eps)
            self.inv_ = 1. / np.sqrt(var + self.eps)
            return self.gamma * self.x_hat_ + self.beta
        x_hat = (x - self.avg_mean) / np.sqrt(self.avg_var + self.eps)
        return self.gamma * x_hat + self.beta

    def backward_(self, dout):
        m = dout.shape[0]
        dgamma = np.sum(dout * self.x_hat_, axis=0)
        dbeta = np.sum(dout, axis=0)
        dx = self.gamma * self.inv_ / m * (m * dout - dbeta - self.x_hat_ * dgamma)
        return dx, [dgamma, dbeta]
