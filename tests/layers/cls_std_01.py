import numpy as np


class BatchNormalization:
    def __init__(self, units, epsilon=1e-5, momentum=0.9):
        self.units = units
        self.epsilon = epsilon
        self.momentum = momentum
        self.gamma = np.ones(units)
        self.beta = np.zeros(units)
        self.running_mean = np.zeros(units)
        self.running_var = np.ones(units)

    def forward(self, inputs, train=True):
        if train:
            self.inputs = inputs
            self.mu = np.mean(inputs, axis=0)
            self.var = np.var(inputs, axis=0)
            self.norm = (inputs - self.mu) / (np.sqrt(self.var) + self.epsilon)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mu
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
            return self.gamma * self.norm + self.beta
        norm = (inputs - self.running_mean) / (np.sqrt(self.running_var) + self.epsilon)
        return self.gamma * norm + self.beta

    def backward(self, dvalues):
        n = dvalues.shape[0]
        self.dgamma = np.sum(dvalues * self.norm, axis=0)
        self.dbeta = np.sum(dvalues, axis=0)
        centered = self.inputs - self.mu
        root = np.sqrt(self.var + self.epsilon)
        g = dvalues * self.gamma
        dvar = -0.5 * np.sum(g * centered, axis=0) / root ** 3
        dmu = -np.sum(g, axis=0) / root
        self.dinputs = g / root + dvar * 2 * centered / n + dmu / n
        return self.dinputs
