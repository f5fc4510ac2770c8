import numpy as np


class BatchNormalization:
    def __init__(self, num_features, epsilon=1e-5, momentum=0.9):
        self.gamma = np.ones(num_features)
        self.beta = np.zeros(num_features)
        self.epsilon = epsilon
        self.momentum = momentum
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)

    def forward(self, X, training=True):
        self.X = X
        self.mean = np.mean(X, axis=0)
        self.var = np.var(X, axis=0)
        if training:
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
        self.X_norm = (X - self.mean) / np.sqrt(self.var + self.epsilon)
        return self.gamma * self.X_norm + self.beta

    def backward(self, dout):
        m = self.X.shape[0]
        std_inv = 1.0 / np.sqrt(self.var + self.epsilon)
        dX_norm = dout * self.gamma
        dvar = -0.5 * np.sum(dX_norm * (self.X - self.mean), axis=0) * std_inv ** 3
        dmean = -np.sum(dX_norm * std_inv, axis=0)
        dX = dX_norm * std_inv + dvar * 2 * (self.X - self.mean) / m + dmean / m
        dgamma = np.sum(dout * self.X_norm, axis=0)
        dbeta = np.sum(dout, axis=0)
        return dX, dgamma, dbeta
