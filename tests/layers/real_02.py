import numpy as np


class Dense:
    """A dense layer that may normalize what it computes; the network sets decay."""

    def __init__(self, n_in, n_out):
        self.W = np.full((n_in, n_out), 0.1)
        self.b = np.zeros(n_out)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
        self.decay = None
        self.bn_gamma, self.bn_beta = np.ones(n_out), np.zeros(n_out)
        self.bn_mean_running, self.bn_var_running = np.zeros(n_out), np.ones(n_out)
        self.predict = False

    def batch_norm_forward(self, z):
        if self.predict:
            return self.bn_gamma * (z - self.bn_mean_running) / np.sqrt(self.bn_var_running + 1e-7) + self.bn_beta
        mean, var = z.mean(axis=0), z.var(axis=0)
        self.std = np.sqrt(var + 1e-7)
        self.xhat = (z - mean) / self.std
        self.bn_mean_running = self.decay * self.bn_mean_running + (1 - self.decay) * mean
        self.bn_var_running = self.decay * self.bn_var_running + (1 - self.decay) * var
        return self.bn_gamma * self.xhat + self.bn_beta

    def batch_norm_backward(self, dy):
        g = dy * self.bn_gamma
        dz = (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)) / self.std
        return dz, (dy * self.xhat).sum(axis=0), dy.sum(axis=0)

    def forward(self, x):
        self.x = x
        return self.batch_norm_forward(x @ self.W + self.b)

    def backward(self, dy):
        dz, self.dgain, self.dshift = self.batch_norm_backward(dy)
        self.dW, self.db = self.x.T @ dz, dz.sum(axis=0)
        return dz @ self.W.T
