import numpy as np


class BatchNorm(object):

    def __init__(self, in_feature, alpha=0.9):
        one, zero = np.ones((1, in_feature)), np.zeros((1, in_feature))
        self.eps = 1e-8
        self.alpha = alpha
        self.gamma, self.dgamma = one.copy(), zero.copy()
        self.beta, self.dbeta = zero.copy(), zero.copy()
        self.running_mean, self.running_var = zero.copy(), one.copy()
        self.saved = None

    def __call__(self, x, eval=False):
        return self.forward(x, eval)

    def forward(self, x, eval=False):
        if eval:
            hat = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
            return hat * self.gamma + self.beta
        m = np.mean(x, axis=0, keepdims=True)
        spread = np.std(x, axis=0, keepdims=True)
        root = np.sqrt(spread ** 2 + self.eps)
        hat = (x - m) / root
        self.saved = (hat, root)
        self.running_mean = self.alpha * self.running_mean + (1 - self.alpha) * m
        self.running_var = self.alpha * self.running_var + (1 - self.alpha) * spread
        return hat * self.gamma + self.beta

    def backward(self, delta):
        hat, root = self.saved
        b = len(delta)
        self.dbeta = np.sum(delta, axis=0, keepdims=True)
        self.dgamma = np.sum(delta * hat, axis=0, keepdims=True)
        return self.gamma / root * (delta - (self.dbeta + hat * self.dgamma) / b)
