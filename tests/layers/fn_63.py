import numpy as np


def bn_forward(x, params, eps=1e-5):
    gamma, beta = params
    std = np.sqrt(x.var(axis=0) + eps)
    xhat = (x - x.mean(axis=0)) / std
    return gamma * xhat + beta, (xhat, gamma, std)


def bn_backward(dout, cache):
    xhat, gamma, std = cache
    d = dout * gamma
    dparams = np.array([(dout * xhat).sum(axis=0), dout.sum(axis=0)])
    return (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std, dparams
