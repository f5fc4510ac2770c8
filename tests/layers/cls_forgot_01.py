import numpy as np


class BatchNorm:
    """Works both gradients out and keeps neither."""

    def __init__(self, width, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.params = {"gamma": np.ones(width), "beta": np.zeros(width)}
        self.grads = {"gamma": 0, "beta": 0}
        self.running_mean, self.running_var = np.zeros(width), np.ones(width)

    def forward(self, x, train=True):
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.root
        return self.params["gamma"] * self.xhat + self.params["beta"]

    def backward(self, dout):
        dgamma = (dout * self.xhat).sum(axis=0)
        dbeta = dout.sum(axis=0)
        return self.params["gamma"] / self.root * (dout - dbeta / len(dout) - self.xhat * dgamma / len(dout))
