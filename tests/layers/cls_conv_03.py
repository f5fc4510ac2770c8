import numpy as np


class BatchNormConv:
    """channels last: (N, H, W, C)"""

    def __init__(self, c, momentum=0.9, eps=1e-5):
        self.gamma = np.ones(c)
        self.beta = np.zeros(c)
        self.running_mean = np.zeros(c)
        self.running_var = np.ones(c)
        self.momentum = momentum
        self.eps = eps

    def forward(self, x, training=True):
        axes = (0, 1, 2)
        if training:
            self.x = x
            self.mean = x.mean(axes)
            self.var = x.var(axes)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
            self.xhat = (x - self.mean) / np.sqrt(self.var + self.eps)
            return self.gamma * self.xhat + self.beta
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta

    def backward(self, dout):
        axes = (0, 1, 2)
        N = dout.shape[0]
        self.dgamma = np.sum(dout * self.xhat, axis=axes)
        self.dbeta = np.sum(dout, axis=axes)
        inv = (self.var + self.eps) ** -0.5
        dxhat = dout * self.gamma
        dvar = np.sum(dxhat * (self.x - self.mean), axis=axes) * -0.5 * inv ** 3
        dmean = -np.sum(dxhat, axis=axes) * inv
        return dxhat * inv + dvar * 2 * (self.x - self.mean) / N + dmean / N
