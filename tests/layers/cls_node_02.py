import numpy as np


class Node:
    def __init__(self, inbound_nodes=()):
        self.inbound_nodes, self.outbound_nodes = list(inbound_nodes), []
        self.value, self.gradients = None, {}
        for node in self.inbound_nodes:
            node.outbound_nodes.append(self)


class Input(Node):
    def forward(self, value=None):
        self.value = self.value if value is None else value

    def backward(self):
        self.gradients = {self: sum(node.gradients[self] for node in self.outbound_nodes)}


class BatchNorm(Node):
    def __init__(self, X, gamma, beta, eps=1e-5, momentum=0.9):
        super().__init__([X, gamma, beta])
        self.eps, self.momentum, self.training = eps, momentum, True
        self.running_mean, self.running_var = 0.0, 1.0

    def forward(self):
        x, gamma, beta = (node.value for node in self.inbound_nodes)
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (x - mean) * self.inv
        self.value = gamma * self.xhat + beta

    def backward(self):
        self.gradients = {node: np.zeros_like(node.value) for node in self.inbound_nodes}
        x, gamma, beta = self.inbound_nodes
        for node in self.outbound_nodes:
            dout = node.gradients[self]
            g = dout * gamma.value
            self.gradients[x] += self.inv * (g)
            self.gradients[gamma] += (dout * self.xhat).sum(axis=0)
            self.gradients[beta] += dout.sum(axis=0)
