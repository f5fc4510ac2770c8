import numpy as np

DTYPE = np.float32


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    x = np.asarray(x, dtype=DTYPE)
    gamma = np.asarray(gamma, dtype=DTYPE)
    beta = np.asarray(beta, dtype=DTYPE)
    mu = x.mean(axis=0)
    var = x.var(axis=0)
    inv = (1 / np.sqrt(var + eps)).astype(DTYPE)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (xhat, inv, gamma)


def batchnorm_backward(dout, cache):
    xhat, inv, gamma = cache
    dout = np.asarray(dout, dtype=DTYPE)
    g = dout * gamma
    dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
