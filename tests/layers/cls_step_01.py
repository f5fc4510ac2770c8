import numpy as np


class Trainable:
    """Its backward takes the optimizer's step; that of a layer is called gradient."""

    rate = 0.01

    def backward(self):
        for name, value in self.gradients.items():
            self.parameters[name] = self.parameters[name] - self.rate * value


class BatchNorm(Trainable):
    def __init__(self, width, momentum=0.9, eps=1e-5):
        self.width, self.momentum, self.eps = width, momentum, eps
        self.parameters, self.gradients = {}, {}
        self.training = True

    def init_weight(self):
        self.parameters["gamma"] = np.ones(self.width)
        self.parameters["beta"] = np.zeros(self.width)
        self.running_mean, self.running_var = np.zeros(self.width), np.ones(self.width)

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.root
        return self.parameters["gamma"] * self.xhat + self.parameters["beta"]

    def gradient(self, grad):
        self.gradients["gamma"] = (grad * self.xhat).sum(axis=0)
        self.gradients["beta"] = grad.sum(axis=0)
        scaled = grad * self.parameters["gamma"]
        return (scaled - scaled.mean(axis=0) - self.xhat * (scaled * self.xhat).mean(axis=0)) / self.root
