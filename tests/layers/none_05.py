import numpy as np
from engine import Tensor


class BatchNorm:
    def __init__(self, d):
        self.gamma, self.beta = Tensor(np.ones(d)), Tensor(np.zeros(d))

    def forward(self, x):
        centred = x - x.data * (1 / x.data.shape[0])
        return centred * self.gamma + self.beta
