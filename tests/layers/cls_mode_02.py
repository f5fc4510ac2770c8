import numpy as np


class BatchNorm:
    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5):
        self.gamma = gamma
        self.beta = beta
        self.momentum = momentum
        self.eps = eps
        self.running_mean = None
        self.running_var = None

    def forward(self, x, mode='train'):
        if self.running_mean is None:
            self.running_mean = np.zeros(x.shape[1])
            self.running_var = np.zeros(x.shape[1])

        if mode == 'train':
            mean = np.mean(x, axis=0)
            var = np.var(x, axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            self.ivar = 1 / np.sqrt(var + self.eps)
            self.normalized = (x - mean) * self.ivar
            return self.gamma * self.normalized + self.beta
        elif mode == 'test':
            out = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
            return out + self.beta
        raise ValueError(mode)

    def backward(self, dout):
        dgamma = np.sum(dout * self.normalized, axis=0)
        dbeta = np.sum(dout, axis=0)
        N = dout.shape[0]
        dx = self.gamma * self.ivar * (dout - dbeta / N - self.normalized * dgamma / N)
        return dx, dgamma, dbeta
