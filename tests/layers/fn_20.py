import numpy as np


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    xt = x.T
    mu = xt.mean(axis=1, keepdims=True)
    std = np.sqrt(xt.var(axis=1, keepdims=True) + eps)
    xhat = (xt - mu) / std
    out = gamma[:, None] * xhat + beta[:, None]
    return out.T, (xhat, std, gamma)


def batchnorm_backward(dout, cache):
    xhat, std, gamma = cache
    dt = dout.T
    N = dt.shape[1]
    dbeta = dt.sum(axis=1)
    dgamma = (dt * xhat).sum(axis=1)
    dx = gamma[:, None] / std * (dt - dbeta[:, None] / N - xhat * dgamma[:, None] / N)
    return dx, dgamma, dbeta
