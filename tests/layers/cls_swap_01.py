import numpy as np


class BatchNormLayer:
    def __init__(self, n, momentum=0.9, eps=1e-5):
        self.weight = np.ones((1, n))
        self.bias = np.zeros((1, n))
        self.grad_weight = None
        self.grad_bias = None
        self.running_mean = np.zeros((1, n))
        self.running_var = np.ones((1, n))
        self.momentum = momentum
        self.eps = eps
        self.train_mode = True

    def forward(self, x):
        if self.train_mode:
            self.mean = x.mean(axis=0, keepdims=True)
            self.var = x.var(axis=0, keepdims=True)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
            self.xhat = (x - self.mean) / np.sqrt(self.var + self.eps)
            return self.weight * self.xhat + self.bias
        return self.weight * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.bias

    def backward(self, dy):
        self.grad_weight = np.sum(dy * self.xhat, axis=0, keepdims=True)
        self.grad_bias = np.sum(dy, axis=0, keepdims=True)
        g = dy * self.weight
        std = np.sqrt(self.var + self.eps)
        return -(g - g.mean(axis=0) - self.xhat * np.mean(g * self.xhat, axis=0)) / std
