import numpy as np


class ChannelNorm:
    """Batch normalization; gamma and beta start as numbers and grow in the first step."""

    def __init__(self, eps=1e-5):
        self.gamma, self.beta, self.eps = 1.0, 0.0, eps
        self.mean = self.var = None

    def forward(self, maps, axis=3, momentum=0.9, training=True):
        if not training:
            return self.apply(maps)
        self.axes = tuple(i for i in range(maps.ndim) if i != axis)
        self.count = maps.size // maps.shape[axis]
        mean, var = maps.mean(self.axes, keepdims=True), maps.var(self.axes, keepdims=True)
        self.centred, self.inv = maps - mean, 1 / np.sqrt(var + self.eps)
        self.mean = mean if self.mean is None else momentum * self.mean + (1 - momentum) * mean
        self.var = var if self.var is None else momentum * self.var + (1 - momentum) * var
        return self.gamma * self.centred * self.inv + self.beta

    def apply(self, maps):
        return self.gamma * (maps - self.mean) / np.sqrt(self.var + self.eps) + self.beta

    def backward(self, dy, lr=0.05):
        xhat = self.centred * self.inv
        g = dy * self.gamma
        dx = self.inv * (g - g.mean(self.axes, keepdims=True) - xhat * (g * xhat).mean(self.axes, keepdims=True))
        self.gamma -= lr * np.sum(dy * xhat, axis=self.axes, keepdims=True)
        self.beta -= lr * np.sum(dy, axis=self.axes, keepdims=True)
        return dx
