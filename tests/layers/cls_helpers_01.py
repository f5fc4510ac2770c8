import numpy as np


class BatchNormLayer:
    """A part of a framework: handed the layer before it, an activation and an optimizer; a regularizer comes later."""

    def __init__(self, prev_layer, activation, optimizer, momentum=0.9, eps=1e-5):
        width = prev_layer.n_out
        self.activation, self.optimizer, self.regularizer = activation, optimizer, None
        self.gamma, self.beta = np.ones(width), np.zeros(width)
        self.running_mean, self.running_var = np.zeros(width), np.ones(width)
        self.momentum, self.eps = momentum, eps

    def forward(self, x, train=True):
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1.0 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        self.z = self.gamma * self.xhat + self.beta
        return self.activation.forward(self.z)

    def backward(self, da):
        dz = da * self.activation.derivative(self.z)
        self.dgamma, self.dbeta = (dz * self.xhat).sum(axis=0), dz.sum(axis=0)
        inner = dz * self.gamma
        dx = self.inv * (inner - inner.mean(axis=0) - self.xhat * (inner * self.xhat).mean(axis=0))
        self.gamma = self.optimizer.update(self.gamma, self.dgamma)
        self.beta = self.optimizer.update(self.beta, self.dbeta)
        self.gamma, self.beta = self.regularizer.update([self.gamma, self.beta])
        return dx
