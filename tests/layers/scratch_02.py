import copy
import numpy as np

from .layer import Layer


class BatchNormalization(Layer):
    def __init__(self, momentum=0.99, eps=1e-5):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.running_mean = None
        self.running_var = None

    def initialize(self, optimizer):
        self.gamma = np.ones(self.input_shape)
        self.beta = np.zeros(self.input_shape)
        self.gamma_opt = copy.copy(optimizer)
        self.beta_opt = copy.copy(optimizer)

    def forward_pass(self, X, training=True):
        if self.running_mean is None:
            self.running_mean = np.zeros(self.input_shape)
            self.running_var = np.ones(self.input_shape)

        if not training:
            X_norm = (X - self.running_mean) / np.sqrt(self.running_var + self.eps)
            return self.gamma * X_norm + self.beta

        mean = np.mean(X, axis=0)
        var = np.var(X, axis=0)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.X_centered = X - mean
        self.stddev_inv = 1 / np.sqrt(var + self.eps)
        return self.gamma * self.X_centered * self.stddev_inv + self.beta

    def backward_pass(self, accum_grad):
        gamma = self.gamma

        grad_gamma = np.sum(accum_grad * self.X_centered, axis=0)
        grad_beta = np.sum(accum_grad, axis=0)
        self.gamma = self.gamma_opt.update(self.gamma, grad_gamma)
        self.beta = self.beta_opt.update(self.beta, grad_beta)

        X_norm = self.X_centered * self.stddev_inv
        g = accum_grad * gamma
        return self.stddev_inv * (g - g.mean(axis=0) - X_norm * np.mean(g * X_norm, axis=0))

    def output_shape(self):
        return self.input_shape
