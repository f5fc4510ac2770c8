import numpy as np


class Parameter:
    def __init__(self, value):
        self.value = value
        self.grad = None


class Layer:
    def __init__(self, name=None):
        self.name = name or type(self).__name__
        self._parameters = {}
        self.training = True

    def add_parameter(self, key, value):
        self._parameters[key] = Parameter(value)
        return self._parameters[key]

    def parameters(self):
        return list(self._parameters.values())

    def train(self, flag=True):
        self.training = flag
        return self

    def eval(self):
        return self.train(False)

    def __call__(self, x):
        return self.forward(np.asarray(x))
