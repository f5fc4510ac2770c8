import numpy as np


class BatchNorm2D:
    def __init__(self, channels, momentum=0.9, eps=1e-5):
        self.channels = channels
        self.momentum = momentum
        self.eps = eps
        self.gamma = np.ones((channels, 1, 1))
        self.beta = np.zeros((channels, 1, 1))
        self.running_mean = None
        self.running_var = None

    def forward(self, x, training=True):
        # x: (N, C, H, W)
        if self.running_mean is None:
            self.running_mean = np.zeros(x.shape[1:])
            self.running_var = np.ones(x.shape[1:])
        if not training:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta
        mean = np.mean(x, axis=0)
        var = np.var(x, axis=0)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        N = dout.shape[0]
        self.dgamma = np.sum(dout * self.xhat, axis=(0, 2, 3)).reshape(self.gamma.shape)
        self.dbeta = np.sum(dout, axis=(0, 2, 3)).reshape(self.beta.shape)
        g = dout * self.gamma
        return (g - g.sum(axis=0) / N - self.xhat * (g * self.xhat).sum(axis=0) / N) / self.std
