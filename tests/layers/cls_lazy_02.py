import numpy as np


class Batch_norm_Layer():

    def __init__(self, gamma=1., beta=0., momentum:float = 0.9):
        self.gamma = gamma
        self.beta = beta
        self.moment = momentum
        self.dgamma = None
        self.dbeta = None
        self.mov_mean = None
        self.mov_var = None

    def forward(self, x, is_training:bool):
        if self.mov_mean is None:
            self.mov_mean = np.zeros(x.shape[1])
            self.mov_var = np.zeros(x.shape[1])

        if is_training:
            mu = np.mean(x, axis=0)
            xmu = x - mu
            var = np.mean(xmu * xmu, axis=0)
            inv = 1. / np.sqrt(var + 1e-8)
            self.cache = (xmu, inv)
            self.mov_mean += (1. - self.moment) * (mu - self.mov_mean)
            self.mov_var += (1. - self.moment) * (var - self.mov_var)
            return self.gamma * xmu * inv + self.beta

        return self.gamma * (x - self.mov_mean) / np.sqrt(self.mov_var + 1e-8) + self.beta

    def backward(self, delta):
        xmu, inv = self.cache
        n = delta.shape[0]
        self.dgamma = np.sum(delta * xmu * inv, axis=0)
        self.dbeta = np.sum(delta, axis=0)
        dn = delta * self.gamma
        dvar = -.5 * np.sum(dn * xmu, axis=0) * inv ** 3
        dmu = -np.sum(dn * inv, axis=0) - 2. * dvar * np.mean(xmu, axis=0)
        return dn * inv + 2. * dvar * xmu / n + dmu / n
