import numpy as np


class Variable:
    def __init__(self, data):
        self.data, self.grad = data, None


class BatchNorm:
    def __init__(self, d, eps=1e-5, momentum=0.9):
        self.gamma, self.beta = Variable(np.ones(d)), Variable(np.zeros(d))
        self.running_mean, self.running_var = np.zeros(d), np.ones(d)
        self.eps, self.momentum, self.train = eps, momentum, True

    def forward(self, x):
        self.x, a = x, x.data
        mean, var = self.running_mean, self.running_var
        if self.train:
            mean, var = np.mean(a, axis=0), np.var(a, axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv = 1 / np.sqrt(var + self.eps)
        self.xhat = (a - mean) * self.inv
        self.y = Variable(self.gamma.data * self.xhat + self.beta.data)
        return self.y

    def backward(self, dout):
        self.gamma.grad, self.beta.grad = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma.data
        self.x.grad = self.inv * (g - self.xhat * (g * self.xhat).mean(axis=0))
