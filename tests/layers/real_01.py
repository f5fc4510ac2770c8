import numpy as np


class Perceptron:
    """Holds a whole network; the two passes of the normalization are static."""

    def __init__(self, data, labels, sizes):
        self.weights = [np.zeros(shape) for shape in zip(sizes[:-1], sizes[1:])]
        self.data = data.T

    @staticmethod
    def batchnorm_forward(x, gamma, beta):
        centred = x - x.mean(axis=0)
        inv = 1 / np.sqrt((centred**2).mean(axis=0) + tiny)
        xhat = centred * inv
        return gamma * xhat + beta, (xhat, inv, gamma)

    @staticmethod
    def batchnorm_backward(dout, cache):
        xhat, inv, gamma = cache
        g = dout * gamma
        dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
        return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)

    def predict(self, x):
        return x @ self.weights[0]


tiny = 1e-8
