import numpy as np
from Layers.Common import CommonLayer


class BatchNormalization(CommonLayer):
    """Asks a method of a base class that is not here."""

    def __init__(self, channels, momentum=0.8, eps=1e-5):
        super().__init__()
        self.trainable = True
        self.momentum, self.eps = momentum, eps
        self.weights, self.bias = np.ones(channels), np.zeros(channels)
        self.moving_mean, self.moving_var = np.zeros(channels), np.ones(channels)

    def forward(self, input_tensor):
        if not self.is_training():
            mean, var = self.moving_mean, self.moving_var
        else:
            mean, var = input_tensor.mean(axis=0), input_tensor.var(axis=0)
            self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * mean
            self.moving_var = self.momentum * self.moving_var + (1 - self.momentum) * var
        self.root = np.sqrt(var + self.eps)
        self.normalized = (input_tensor - mean) / self.root
        return self.weights * self.normalized + self.bias

    def backward(self, error_tensor):
        self.gradient_weights = (error_tensor * self.normalized).sum(axis=0)
        self.gradient_bias = error_tensor.sum(axis=0)
        inner = error_tensor * self.weights
        along = self.normalized * (inner * self.normalized).mean(axis=0)
        return (inner - inner.mean(axis=0) - along) / self.root
