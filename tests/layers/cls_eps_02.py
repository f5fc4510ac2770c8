import numpy as np


class BatchNormalization:
    """The gradient is a helper's, whose eps is another number by default."""

    def __init__(self, channels):
        self.epsilon = 1e-5
        self.momentum = 0.8
        self.testing_phase = False
        self.weights, self.bias = np.ones(channels), np.zeros(channels)
        self.moving_mean = self.moving_var = None

    def forward(self, input_tensor):
        if self.testing_phase:
            mean, var = self.moving_mean, self.moving_var
        else:
            mean, var = input_tensor.mean(axis=0), input_tensor.var(axis=0)
            if self.moving_mean is None:
                self.moving_mean, self.moving_var = mean, var
            self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * mean
            self.moving_var = self.momentum * self.moving_var + (1 - self.momentum) * var
        self.var = var
        self.normalized = (input_tensor - mean) / np.sqrt(var + self.epsilon)
        return self.weights * self.normalized + self.bias

    def backward(self, error_tensor):
        self.gradient_weights = (error_tensor * self.normalized).sum(axis=0)
        self.gradient_bias = error_tensor.sum(axis=0)
        return inner_gradient(error_tensor * self.weights, self.normalized, self.var)


def inner_gradient(inner, normalized, var, eps=1e-8):
    along = normalized * (inner * normalized).mean(axis=0)
    return (inner - inner.mean(axis=0) - along) / np.sqrt(var + eps)
