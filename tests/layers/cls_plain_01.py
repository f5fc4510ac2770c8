import numpy as np


class BatchNorm:
    """Everything is None until the first pass; then the statistics are plain numbers that grow into arrays."""

    def __init__(self, momentum=0.99, epsilon=1e-5):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale, self.shift = None, None
        self._mean, self._variance = None, None

    def _start(self, width):
        self.scale, self.shift = np.ones(width), np.zeros(width)
        self._mean, self._variance = 0.0, 1.0

    def forward(self, x, training=True):
        if self.scale is None:
            self._start(x.shape[1])
        if training:
            mean, variance = x.mean(axis=0), x.var(axis=0)
            self._mean = self.momentum * self._mean + (1 - self.momentum) * mean
            self._variance = self.momentum * self._variance + (1 - self.momentum) * variance
        else:
            mean, variance = self._mean, self._variance
        self._root = np.sqrt(variance + self.epsilon)
        self._xhat = (x - mean) / self._root
        return self.scale * self._xhat + self.shift

    def backward(self, dout):
        self.dscale = (dout * self._xhat).sum(axis=0)
        self.dshift = dout.sum(axis=0)
        dxhat = dout * self.scale
        return (dxhat - dxhat.mean(axis=0) - self._xhat * (dxhat * self._xhat).mean(axis=0)) / self._root
