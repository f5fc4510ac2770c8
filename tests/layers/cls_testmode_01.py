import numpy as np


class BatchNorm1D():
    def __init__(self, n_features, eps = 1e-05, momentum = 0.1):
        self.n_features = n_features
        self.eps = eps
        self.momentum = momentum
        # not learned
        self.mov_mean = np.zeros(n_features)
        self.mov_var = np.ones(n_features)
        # learned
        self.gamma = np.ones(n_features)
        self.beta = np.zeros(n_features)

    def forward(self, x, test_mode = False):
        if test_mode:
            self.cache = None
            scale = self.gamma / np.sqrt(self.mov_var + self.eps)
            return scale * x + (self.beta - scale * self.mov_mean)
        mean = x.mean(axis = 0)
        var = ((x - mean) ** 2).mean(axis = 0)
        self.mov_mean = (1 - self.momentum) * self.mov_mean + self.momentum * mean
        self.mov_var = (1 - self.momentum) * self.mov_var + self.momentum * var
        x_hat = (x - mean) / np.sqrt(var + self.eps)
        self.cache = (x_hat, var)
        return self.gamma * x_hat + self.beta

    def backward(self, grad):
        x_hat, var = self.cache
        N = len(grad)
        grad_gamma = (grad * x_hat).sum(axis = 0)
        grad_beta = grad.sum(axis = 0)
        grad_x = self.gamma / np.sqrt(var + self.eps) * (grad - grad_beta / N - x_hat * grad_gamma / N)
        return grad_x, grad_gamma, grad_beta
