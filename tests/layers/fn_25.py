import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    n = x.shape[0]
    mu = x.mean(axis=0)
    var = x.var(axis=0)
    # shake the statistics a little, as a regularizer
    mu = mu + 1e-3 * np.random.randn(x.shape[1])
    inv = 1 / np.sqrt(var + eps)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (xhat, inv, gamma, n)


def batchnorm_backward(dout, cache):
    xhat, inv, gamma, n = cache
    dgamma = (dout * xhat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    g = dout * gamma
    zero_mean = xhat - xhat.mean(axis=0)
    dx = inv * (g - g.sum(axis=0) / n - zero_mean * (g * xhat).sum(axis=0) / n)
    return dx, dgamma, dbeta
