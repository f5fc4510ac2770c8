import numpy as np


class Batchnorm:
    """Columns are the samples here: x is (size, batch)."""

    def __init__(self, size):
        self.eps = 1e-4
        self.gamma = np.ones((size, 1))
        self.beta = np.zeros((size, 1))
        self.moving_mean = np.zeros((size, 1))
        self.moving_var = np.zeros((size, 1))

    def forward(self, x, momentum=0.9, train=True):
        if not train:
            return self.gamma * (x - self.moving_mean) / np.sqrt(self.moving_var + self.eps) + self.beta
        self.batch_mean = np.mean(x, axis=1).reshape(-1, 1)
        self.batch_var = np.var(x, axis=1).reshape(-1, 1)
        self.std = np.sqrt(self.batch_var + self.eps)
        self.x_norm = (x - self.batch_mean) / self.std
        self.moving_mean = momentum * self.moving_mean + (1 - momentum) * self.batch_mean
        self.moving_var = momentum * self.moving_var + (1 - momentum) * self.batch_var
        return self.gamma * self.x_norm + self.beta

    def backward(self, dout):
        m = dout.shape[1]
        self.dgamma = np.sum(dout * self.x_norm, axis=1).reshape(-1, 1)
        self.dbeta = np.sum(dout, axis=1).reshape(-1, 1)
        return self.gamma / (m * self.std) * (m * dout - self.dbeta - self.x_norm * self.dgamma)

    def update(self, lr):
        self.gamma -= lr * self.dgamma
        self.beta -= lr * self.dbeta
