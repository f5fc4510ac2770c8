import numpy as np


def batchnorm_forward(x, gamma, beta, eps):
    N, D = x.shape

    mu = 1.0 / N * x.sum(axis=0)
    xmu = x - mu
    var = 1.0 / N * (xmu**2).sum(axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta

    # everything that is needed on the way back
    cache = (xhat, gamma, xmu, ivar, sqrtvar, var, eps)
    return out, cache


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape

    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    divar = (dxhat * xmu).sum(axis=0)
    dsqrtvar = -divar / sqrtvar**2
    dvar = 0.5 * dsqrtvar / np.sqrt(var + eps)
    dxmu = dxhat * ivar + 2.0 * xmu * np.ones((N, D)) * dvar / N
    dmu = -dxmu.sum(axis=0)
    dx = dxmu + np.ones((N, D)) * dmu / N
    return dx, dgamma, dbeta
