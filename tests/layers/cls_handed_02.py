import numpy as np


class Node:
    def __init__(self, parent):
        self.parent = parent
        self.delta = None
        self.grads = {}
        self.training = True


class BatchNorm(Node):
    """Reads x from the layer before it and leaves dx there."""

    def __init__(self, parent, momentum=0.9, eps=1e-5):
        super().__init__(parent)
        self.momentum, self.eps = momentum, eps
        shape = parent.output_shape
        self.params = {"gamma": np.ones(shape), "beta": np.zeros(shape)}
        self.fixed = {"moving_mu": np.zeros(shape), "moving_var": np.ones(shape)}

    def forward(self):
        x = self.parent.output
        mu, var = self.fixed["moving_mu"], self.fixed["moving_var"]
        if self.training:
            mu, var = x.mean(axis=0), x.var(axis=0)
            self.fixed["moving_mu"] = self.momentum * self.fixed["moving_mu"] + (1 - self.momentum) * mu
            self.fixed["moving_var"] = self.momentum * self.fixed["moving_var"] + (1 - self.momentum) * var
        self.root = np.sqrt(var + self.eps)
        self.xhat = (x - mu) / self.root
        self.output = self.params["gamma"] * self.xhat + self.params["beta"]

    def backward(self):
        self.grads["g_gamma"] = (self.delta * self.xhat).sum(axis=0)
        self.grads["g_beta"] = self.delta.sum(axis=0)
        inner = self.delta * self.params["gamma"]
        inner = inner - inner.mean(axis=0) - self.xhat * (inner * self.xhat).mean(axis=0)
        self.parent.delta = inner / self.root
