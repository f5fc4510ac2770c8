import numpy as np


class BatchNorm2d:
    """NHWC, statistics a channel (last axis)."""

    def __init__(self, channels, momentum=0.9, eps=1e-5):
        self.W = np.ones(channels)
        self.b = np.zeros(channels)
        self.dW = np.zeros(channels)
        self.db = np.zeros(channels)
        self.eps = eps
        self.momentum = momentum
        self.moving_mean = np.zeros(channels)
        self.moving_variance = np.ones(channels)

    def forward(self, x, is_train=True):
        if is_train:
            mean = x.mean(axis=(0, 1, 2))
            var = x.var(axis=(0, 1, 2))
            self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * mean
            self.moving_variance = self.momentum * self.moving_variance + (1 - self.momentum) * var
            self.std = np.sqrt(var + self.eps)
            self.z = (x - mean) / self.std
            return self.W * self.z + self.b
        return self.W * (x - self.moving_mean) / np.sqrt(self.moving_variance + self.eps) + self.b

    def backward(self, dout):
        # gradients pile up until zero_grad
        self.dW += np.sum(dout * self.z, axis=(0, 1, 2))
        self.db += np.sum(dout, axis=(0, 1, 2))
        dz = dout * self.W
        return (dz - dz.mean(axis=(0, 1, 2)) - self.z * (dz * self.z).mean(axis=(0, 1, 2))) / self.std

    def zero_grad(self):
        self.dW[:] = 0
        self.db[:] = 0
