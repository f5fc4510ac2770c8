import numpy as np
from nowhere.base import Layer


class BatchNorm(Layer):
    def __init__(self, d):
        super().__init__()
        self.gamma, self.beta = np.ones(d), np.zeros(d)

    def forward(self, x):
        self.hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + self.tiniest)
        return self.gamma * self.hat + self.beta
