import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    istd = 1.0 / np.sqrt(var + eps)
    xhat = (x - mu) * istd
    return gamma * xhat + beta, (x - mu, xhat, istd, gamma)


def batchnorm_backward(dout, cache):
    xc, xhat, istd, gamma = cache
    N = dout.shape[0]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    dvar = np.sum(dxhat * xc, axis=0) * -0.5 * istd**3
    dxc = dxhat * istd + 2 * dvar * xc / (N - 1)
    dx = dxc - np.mean(dxc, axis=0)
    return dx, dgamma, dbeta
