import numpy as np


class BatchNorm:
    def __init__(self, dim, eps=1e-5, momentum=0.9):
        self.params = {'gamma': np.ones(dim), 'beta': np.zeros(dim)}
        self.grads = {}
        self.eps, self.momentum = eps, momentum
        self.state = {'mean': np.zeros(dim), 'var': np.ones(dim)}

    def forward(self, x, is_training=True):
        gamma, beta = self.params['gamma'], self.params['beta']
        if is_training:
            mean, var = x.mean(0), x.var(0)
            self.state['mean'] = self.momentum * self.state['mean'] + (1 - self.momentum) * mean
            self.state['var'] = self.momentum * self.state['var'] + (1 - self.momentum) * var
            self.std = np.sqrt(var + self.eps)
            self.xhat = (x - mean) / self.std
            return gamma * self.xhat + beta
        return gamma * (x - self.state['mean']) / np.sqrt(self.state['var'] + self.eps) + beta

    def backward(self, dout):
        self.grads['gamma'] = dout * self.xhat
        self.grads['beta'] = dout
        g = dout * self.params['gamma']
        return (g - g.mean(0) - self.xhat * (g * self.xhat).mean(0)) / self.std
