import numpy as np


def BatchNorm_forward(X, gamma, beta, eps=1e-5):
    m = X.shape[0]
    mu = np.sum(X, axis=0, keepdims=True) / m
    xc = X - mu
    sigma2 = np.sum(xc * xc, axis=0, keepdims=True) / m
    isig = 1 / np.sqrt(sigma2 + eps)
    xh = xc * isig
    return gamma * xh + beta, (xh, isig, gamma)


def BatchNorm_backward(dY, cache):
    xh, isig, gamma = cache
    m = dY.shape[0]
    db = np.sum(dY, axis=0, keepdims=True)
    dg = np.sum(dY * xh, axis=0, keepdims=True)
    dX = gamma * isig * (dY - db / m - xh * dg / m)
    return dX, db, dg
