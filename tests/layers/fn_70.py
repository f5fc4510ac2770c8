import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    xmu = x - x.mean(axis=0)
    std = np.sqrt((xmu**2).mean(axis=0) + eps)
    xhat = xmu / std
    return gamma * xhat + beta, (xhat, std, gamma)


def dgamma(dout, xhat):
    return (dout * xhat).sum(axis=0)


def dbeta(dout):
    return dout.sum(axis=0)


def dxhat(dout, gamma):
    return dout * gamma


def dx(dxhat, xhat, std):
    return (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std
