import numpy as np


class BatchNormLayer:
    def __init__(self, batch_size, in_channels, eps=1e-5):
        self.batch_size, self.in_channels, self.eps = batch_size, in_channels, eps
        self.gamma, self.beta = np.ones(in_channels), np.zeros(in_channels)

    def forward(self, inputs, step_index):
        self.inv = 1 / np.sqrt(inputs.varr(axis=0) + self.eps)
        self.xhat = (inputs - inputs.mean(axis=0)) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        return self.inv * (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0))
