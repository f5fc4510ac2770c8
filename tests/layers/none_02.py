import numpy as np


class BatchNorm:
    def __init__(self, dim, eps=1e-5):
        self.gamma = np.ones(dim)
<<<<<<< HEAD
        self.beta = np.zeros(dim)
        self.eps = eps
=======
        self.beta = np.zeros((1, dim))
        self.epsilon = eps
>>>>>>> conv-layers

    def forward(self, x, training=True):
        mu, var = x.mean(axis=0), x.var(axis=0)
        self.xhat = (x - mu) / np.sqrt(var + self.eps)
        return self.gamma * self.xhat + self.beta
