from .base import Layer
from .initializers import ones, zeros
import numpy as np


class BatchNormalization(Layer):
    def __init__(self, dim, momentum=0.9, epsilon=1e-5, name="bn"):
        super().__init__(name=name)
        self.gamma = ones(dim)
        self.beta = zeros(dim)
        self.momentum = momentum
        self.epsilon = epsilon
        self.running_mean = np.zeros(dim)
        self.running_var = np.ones(dim)

    def forward(self, x, training=True):
        if training:
            mu = np.mean(x, axis=0)
            var = np.var(x, axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mu
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            self.inv = 1 / np.sqrt(var + self.epsilon)
            self.xhat = (x - mu) * self.inv
            return self.gamma * self.xhat + self.beta
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.epsilon) + self.beta

    def backward(self, grad):
        self.dgamma = np.sum(grad * self.xhat, axis=0)
        self.dbeta = np.sum(grad, axis=0)
        g = grad * self.gamma
        return self.inv * (g - np.mean(g, axis=0) - self.xhat * np.mean(g * self.xhat, axis=0))
