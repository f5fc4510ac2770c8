import numpy as np


class BatchNormLayer:
    """gamma and beta take their gradient step inside backward()."""

    def __init__(self, n_features, lr=0.01, momentum=0.9, eps=1e-5):
        self.lr = lr
        self.momentum = momentum
        self.eps = eps
        self.gamma = np.ones((1, n_features))
        self.beta = np.zeros((1, n_features))
        self.mean_avg = np.zeros((1, n_features))
        self.var_avg = np.ones((1, n_features))

    def forward(self, X, train=True):
        if train:
            mean = X.mean(axis=0, keepdims=True)
            var = X.var(axis=0, keepdims=True)
            self.mean_avg = self.momentum * self.mean_avg + (1 - self.momentum) * mean
            self.var_avg = self.momentum * self.var_avg + (1 - self.momentum) * var
            self.std = np.sqrt(var + self.eps)
            self.X_hat = (X - mean) / self.std
            return self.gamma * self.X_hat + self.beta
        return self.gamma * (X - self.mean_avg) / np.sqrt(self.var_avg + self.eps) + self.beta

    def backward(self, dY):
        n = dY.shape[0]
        dgamma = np.sum(dY * self.X_hat, axis=0, keepdims=True)
        dbeta = np.sum(dY, axis=0, keepdims=True)
        dX = self.gamma / (n * self.std) * (n * dY - dbeta - self.X_hat * dgamma)
        self.gamma -= self.lr * dgamma
        self.beta -= self.lr * dbeta
        return dX
