import numpy as np


class BatchNormOfNumPy:
    """Parameters are arguments, and the mode is an entry of a dict of the object's."""

    def __init__(self):
        self.bn_param = {"mode": "train"}

    def batchnorm_forward(self, x, gamma, beta):
        kept = self.bn_param
        mean = kept.get("running_mean", np.zeros(x.shape[1]))
        var = kept.get("running_var", np.zeros(x.shape[1]))
        if kept["mode"] == "test":
            return gamma * (x - mean) / np.sqrt(var + 1e-5) + beta
        mu, sigma2 = x.mean(axis=0), x.var(axis=0)
        kept["running_mean"], kept["running_var"] = 0.9 * mean + 0.1 * mu, 0.9 * var + 0.1 * sigma2
        xhat = (x - mu) / np.sqrt(sigma2 + 1e-5)
        self.cache = xhat, sigma2, gamma
        return gamma * xhat + beta

    def batchnorm_backward(self, dout):
        xhat, sigma2, gamma = self.cache
        g = dout * gamma
        dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / np.sqrt(sigma2 + 1e-5)
        return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
