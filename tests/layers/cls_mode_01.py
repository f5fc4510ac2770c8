import numpy as np


class Module(object):
    def __init__(self):
        self.mode = 'train'

    def set_mode(self, mode):
        assert mode in ('train', 'test')
        self.mode = mode


class Batchnorm(Module):
    """
    - mode: 'train' or 'test'
    - running_mean, running_var: (D,)
    """

    def __init__(self, inFeatures, eps=1e-5, momentum=0.9):
        super(Batchnorm, self).__init__()
        self.gamma = {'val': np.ones(inFeatures), 'grad': np.zeros(inFeatures)}
        self.beta = {'val': np.zeros(inFeatures), 'grad': np.zeros(inFeatures)}
        self.eps = eps
        self.momentum = momentum
        self.running_mean = np.zeros(inFeatures)
        self.running_var = np.ones(inFeatures)
        self.cache = {}

    def forward(self, x):
        mu, var = x.mean(axis=0), x.var(axis=0)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mu
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        if self.mode == 'train':
            xhat = (x - mu) / np.sqrt(var + self.eps)
            self.cache['xhat'], self.cache['std'] = xhat, np.sqrt(var + self.eps)
        else:
            xhat = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
        return self.gamma['val'] * xhat + self.beta['val']

    def backward(self, dout):
        xhat, std = self.cache['xhat'], self.cache['std']
        self.gamma['grad'] = np.sum(dout * xhat, axis=0)
        self.beta['grad'] = np.sum(dout, axis=0)
        g = dout * self.gamma['val']
        return (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / std
