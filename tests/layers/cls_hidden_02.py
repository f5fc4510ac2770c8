"""Arguments behind a decorator, how many dimensions x has, and an optimizer that only hands a step out."""

import numpy as np


def checked(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Descent:
    def __init__(self, learn_rate=0.01):
        self.learn_rate = learn_rate

    def process(self, grad):
        return -self.learn_rate * grad

    def step(self):
        self.learn_rate *= 0.99


class BatchNorm:
    @checked
    def __init__(self, channels, dimensions, momentum=0.9, var_eps=1e-8, optimizer=Descent()):
        self.dims, self.momentum, self.var_eps, self.opt = dimensions, momentum, var_eps, optimizer
        self.gamma, self.beta = np.ones(channels), np.zeros(channels)
        self.running_mean, self.running_var = np.zeros(channels), np.ones(channels)

    def forward(self, data, training=False):
        if data.ndim != self.dims + 1:
            raise ValueError("data has other dimensions")
        if not training:
            return self.gamma * (data - self.running_mean) / np.sqrt(self.running_var + self.var_eps) + self.beta
        mean, var = data.mean(axis=0), data.var(axis=0)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.var_eps)
        self.hat = (data - mean) * self.inv
        return self.gamma * self.hat + self.beta

    def backward(self, err):
        g = err * self.gamma
        ret = self.inv * (g - g.mean(axis=0) - self.hat * (g * self.hat).mean(axis=0))
        step = self.opt.process(g)
        self.gamma += (step * self.hat).sum(axis=0)
        self.beta += step.sum(axis=0)
        return ret
