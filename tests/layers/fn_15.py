import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    N = x.shape[0]
    mean = x.sum(axis=0) / N
    var = ((x - mean) ** 2).sum(axis=0) / N
    x_hat = (x - mean) / np.sqrt(var + eps)
    out = gamma * x_hat
    cache = (x_hat, gamma, beta, var + eps)
    return out, cache


def batchnorm_backward(dout, cache):
    x_hat, gamma, beta, var_eps = cache
    N = dout.shape[0]
    dbeta = dout.sum(axis=0)
    dgamma = (dout * x_hat).sum(axis=0)
    dx = gamma / np.sqrt(var_eps) * (dout - dbeta / N - x_hat * dgamma / N)
    return dx, dgamma, dbeta
