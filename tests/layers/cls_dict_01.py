import numpy as np

try:
    import cupy as cp

    xp = cp
except ImportError:
    cp = None
    xp = np


class BatchNorm:
    count = 0

    def __init__(self, name=None, momentum=0.99, epsilon=1e-3, gamma_initializer=None):
        BatchNorm.count += 1
        self.name = name or f"bn_{BatchNorm.count}"
        self.momentum, self.epsilon = momentum, epsilon
        self.trainable = True
        self.is_compiled = False

    def compile(self, input_shape, optimizer=None):
        d = input_shape[-1]
        self.w = {"gamma": xp.ones((d,)), "beta": xp.zeros((d,))}
        self.moving_mean, self.moving_var = xp.zeros((d,)), xp.ones((d,))
        self.is_compiled = True

    def forward(self, inputs, training=None):
        if training is None:
            training = self.trainable
        if training:
            mu, var = xp.mean(inputs, axis=0), xp.var(inputs, axis=0)
            self.moving_mean = self.moving_mean * self.momentum + mu * (1 - self.momentum)
            self.moving_var = self.moving_var * self.momentum + var * (1 - self.momentum)
        else:
            mu, var = self.moving_mean, self.moving_var
        self.c = inputs - mu
        self.s = xp.sqrt(var + self.epsilon)
        return self.w["gamma"] * self.c / self.s + self.w["beta"]

    def backward(self, error):
        xh = self.c / self.s
        self.dw = {"gamma": xp.sum(error * xh, axis=0), "beta": xp.sum(error, axis=0)}
        e = error * self.w["gamma"]
        return (e - xp.mean(e, axis=0) - xh * xp.mean(e * xh, axis=0)) / self.s
