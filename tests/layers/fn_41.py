import numpy as np


class Node:
    """A number of the graph, and how its gradient goes back."""

    def __init__(self, data, before=(), rule=None):
        self.data = np.asarray(data)
        self.grad = np.zeros_like(self.data)
        self.before, self.rule = before, rule

    def __mul__(self, other):
        def rule(d):
            self.grad = self.grad + d * other.data
            other.grad = other.grad + d * self.data

        return Node(self.data * other.data, (self, other), rule)

    def sum(self):
        def rule(d):
            self.grad = self.grad + d

        return Node(self.data.sum(), (self,), rule)

    def backward(self):
        order = []

        def walk(node):
            for one in node.before:
                walk(one)
            order.append(node)

        walk(self)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            if node.rule:
                node.rule(node.grad)


def batchnorm(x, gamma, beta, running_mean, running_var, momentum=0.9, eps=1e-5, training=True):
    if not training:
        return Node(gamma.data * (x.data - running_mean) / np.sqrt(running_var + eps) + beta.data)
    mean, var = x.data.mean(axis=0), x.data.var(axis=0)
    running_mean[:] = momentum * running_mean + (1 - momentum) * mean
    running_var[:] = momentum * running_var + (1 - momentum) * var
    inv = 1 / np.sqrt(var + eps)
    hat = (x.data - mean) * inv

    def rule(d):
        g = d * gamma.data
        gamma.grad = gamma.grad + (d * hat).sum(axis=0)
        beta.grad = beta.grad + d.sum(axis=0)
        x.grad = x.grad + inv * (g - g.mean(axis=0) - hat * (g * hat).mean(axis=0))

    return Node(gamma.data * hat + beta.data, (x, gamma, beta), rule)
