import numpy as np


def batchnorm(x, gamma, beta, delta=1e-5, return_cache=False):
    mu, var = x.mean(axis=0), x.var(axis=0)
    std = np.sqrt(var + delta)
    xhat = (x - mu) / std
    if return_cache:
        return gamma * xhat + beta, (xhat, gamma, std)
    return gamma * xhat + beta


def bn_dgamma(dout, xhat):
    return (dout * xhat).sum(axis=0)


def bn_dbeta(dout):
    return dout.sum(axis=0)


def bn_dx(dout, dgamma, dbeta, xhat, gamma, std):
    n = len(dout)
    return gamma / (n * std) * (n * dout - dbeta - xhat * dgamma)
