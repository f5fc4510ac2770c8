import numpy as np
from numpy import ndarray

from .. import there_is_none
from ..settings import EPSILON, WIDTH


class BatchNorm:
    """Its eps is a constant of a module that is not there."""

    def __init__(self):
        self.gamma = self.beta = self.cache = None

    def forward(self, inputs: ndarray) -> ndarray:
        if self.gamma is None:
            self.gamma, self.beta = np.ones(inputs.shape[1]), np.zeros(inputs.shape[1])
        std = np.sqrt(inputs.var(axis=0) + EPSILON)
        self.cache = (inputs - inputs.mean(axis=0)) / std, std
        return self.gamma * self.cache[0] + self.beta

    def backward(self, gradients: ndarray) -> dict:
        xhat, std = self.cache
        g = gradients * self.gamma
        dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / std
        return {"gamma": (gradients * xhat).sum(axis=0), "beta": gradients.sum(axis=0), "inputs": dx}
