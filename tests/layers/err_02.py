import numpy as np


class BatchNorm:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.gamma = np.ones(num_features)
        self.beta = np.zeros(num_features)
        self.momentum = momentum
        self.eps = eps
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)

    def forward(self, x, training=True):
        if training:
            self.xc = x - x.mean(axis=0)
            self.std = np.sqrt((self.xc ** 2).mean(axis=0) + self.eps)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * x.mean(axis=0)
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * x.var(axis=0)
            return self.gamma * self.xc / self.std + self.beta
        return self.gamma * (x - self.runing_mean) / np.sqrt(self.runing_var + self.eps) + self.beta

    def backward(self, dout):
        xhat = self.xc / self.std
        self.dgamma = np.sum(dout * xhat, axis=0)
        self.dbeta = np.sum(dout, axis=0)
        g = dout * self.gamma
        return (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / self.std
