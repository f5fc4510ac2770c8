import numpy as np
from autodiff.tensor import Tensor
from autodiff.module import Module, Parameter


class BatchNorm(Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.9):
        super().__init__()
        self.gamma = Parameter(np.ones(num_features))
        self.beta = Parameter(np.zeros(num_features))
        self.eps = eps
        self.momentum = momentum
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)

    def forward(self, x, training=True):
        if training:
            mean = np.mean(x, axis=0)
            var = np.var(x, axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            self.inv_std = 1.0 / np.sqrt(var + self.eps)
            self.x_hat = (x - mean) * self.inv_std
            return self.gamma.data * self.x_hat + self.beta.data
        x_hat = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
        return self.gamma.data * x_hat + self.beta.data

    def backward(self, grad_output):
        n = grad_output.shape[0]
        self.gamma.grad = np.sum(grad_output * self.x_hat, axis=0) / n
        self.beta.grad = np.sum(grad_output, axis=0) / n
        g = grad_output * self.gamma.data
        return self.inv_std * (g - np.sum(g, axis=0) / n - self.x_hat * np.sum(g * self.x_hat, axis=0) / n)
