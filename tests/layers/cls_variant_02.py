import numpy as np


class ConditionalBatchNorm2d:
    def __init__(self, channels, classes, eps=1e-5):
        self.gamma, self.beta, self.eps = np.ones((classes, channels)), np.zeros((classes, channels)), eps

    def forward(self, x, labels):
        mean, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
        xhat = (x - mean) / np.sqrt(var + self.eps)
        return self.gamma[labels][:, :, None, None] * xhat + self.beta[labels][:, :, None, None]
