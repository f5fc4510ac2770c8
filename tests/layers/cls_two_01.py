import numpy as np


class _BatchNorm:
    axes = None

    def __init__(self, num_features, eps=1e-5, momentum=0.9):
        self.eps, self.momentum = eps, momentum
        self.gamma = np.ones(num_features)
        self.beta = np.zeros(num_features)
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)

    def _wide(self, v):
        raise NotImplementedError

    def _check_input(self, x):
        raise NotImplementedError

    def forward(self, x, training=True):
        self._check_input(x)
        if not training:
            return self._inference(x)
        mean, var = x.mean(axis=self.axes), x.var(axis=self.axes)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = self._wide(1 / np.sqrt(var + self.eps))
        self.xhat = (x - self._wide(mean)) * self.inv
        return self._wide(self.gamma) * self.xhat + self._wide(self.beta)

    def backward(self, dy):
        dgamma = np.sum(dy * self.xhat, axis=self.axes)
        dbeta = np.sum(dy, axis=self.axes)
        m = dy.size // dgamma.size
        dx = self._wide(self.gamma) * self.inv * (
            dy - self._wide(dbeta) / m - self.xhat * self._wide(dgamma) / m)
        return dx, dgamma, dbeta


class BatchNorm1d(_BatchNorm):
    axes = (0,)

    def _wide(self, v):
        return v

    def _check_input(self, x):
        assert x.ndim == 2

    def _inference(self, x):
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta


class BatchNorm2d(_BatchNorm):
    axes = (0, 2, 3)

    def _wide(self, v):
        return v.reshape(1, -1, 1, 1)

    def _check_input(self, x):
        assert x.ndim == 4

    def _inference(self, x):
        mean, var = self._wide(self.running_mean), self._wide(self.running_var)
        return self._wide(self.gamma) * (x - mean) / np.sqrt(var) + self._wide(self.beta)
