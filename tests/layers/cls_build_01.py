import numpy as np


class BatchNorm:
    """layer(width) builds it and layer.forward(x) runs it; the flag is a word among others."""

    def __init__(self, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.in_train_phase = True
        self._weights = self._biases = None

    def __call__(self, input_dim):
        self._weights, self._biases = np.ones(input_dim), np.zeros(input_dim)
        self._running_mean, self._running_var = np.zeros(input_dim), np.ones(input_dim)
        return self

    def forward(self, data):
        if self.in_train_phase:
            mean, var = data.mean(axis=0), data.var(axis=0)
            self._running_mean = self.momentum * self._running_mean + (1 - self.momentum) * mean
            self._running_var = self.momentum * self._running_var + (1 - self.momentum) * var
        else:
            mean, var = self._running_mean, self._running_var
        self._root = np.sqrt(var + self.eps)
        self._xhat = (data - mean) / self._root
        return self._weights * self._xhat + self._biases

    def backward(self, dout):
        self._dweights = np.sum(dout * self._xhat, axis=0)
        self._dbiases = np.sum(dout, axis=0)
        inner = dout * self._weights
        return (inner - inner.mean(axis=0) - self._xhat * (inner * self._xhat).mean(axis=0)) / self._root
