import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, D = x.shape
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    x_hat = (x - mu) / np.sqrt(var + 1e-2)
    out = gamma * x_hat + beta
    cache = (x_hat, var, gamma)
    return out, cache


def batchnorm_backward(dout, cache):
    x_hat, var, gamma = cache
    N, D = dout.shape
    dgamma = np.sum(dout * x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx = gamma / N / np.sqrt(var + 1e-2) * (N * dout - dbeta - x_hat * dgamma)
    return dx, dgamma, dbeta
