import numpy as np


class BatchNorm2d:
    """(N, C, H, W)"""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        shape = (1, num_features, 1, 1)
        self.eps = eps
        self.momentum = momentum
        self.weight = np.ones(shape)
        self.bias = np.zeros(shape)
        self.running_mean = np.zeros(shape)
        self.running_var = np.ones(shape)
        self.training = True

    def forward(self, x):
        if self.training:
            self.mean = x.mean(axis=(0, 2, 3), keepdims=True)
            self.var = x.var(axis=(0, 2, 3), keepdims=True)
            self.x_hat = (x - self.mean) / np.sqrt(self.var + self.eps)
            m = x.size // x.shape[1]
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * self.mean
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * self.var * m / (m - 1)
            return self.weight * self.x_hat + self.bias
        return self.weight * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.bias

    def backward(self, grad):
        self.grad_weight = (grad * self.x_hat).sum(axis=(0, 2, 3), keepdims=True)
        self.grad_bias = grad.sum(axis=(0, 2, 3), keepdims=True)
        m = grad.size // grad.shape[1]
        return self.weight / np.sqrt(self.var + self.eps) * (
            grad - self.grad_bias / m - self.x_hat * self.grad_weight / m)
