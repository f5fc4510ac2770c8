import numpy as np

from tinynet.base import Layer


class Dense(Layer):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.W = self.add_parameter("W", np.random.randn(n_in, n_out) / n_in**0.5)
        self.b = self.add_parameter("b", np.zeros(n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W.value + self.b.value

    def backward(self, dy):
        self.W.grad = self.x.T @ dy
        self.b.grad = dy.sum(axis=0)
        return dy @ self.W.value.T
