import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(axis=0)
    xc = x - mu
    var = (xc**2).mean(axis=0)
    inv = 1 / np.sqrt(var + eps)
    xhat = xc * inv
    return gamma * (xhat + beta), (xhat, inv, gamma, beta)


def batchnorm_backward(dout, cache):
    xhat, inv, gamma, beta = cache
    dbeta = gamma * dout.sum(axis=0)
    dgamma = (dout * (xhat + beta)).sum(axis=0)
    g = dout * gamma
    dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    return dx, dgamma, dbeta
