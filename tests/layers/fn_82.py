import numpy as np


def batch_normalize(inp, gamma, beta, mv, training=False, eps=1e-5):
    if training:
        mean, std = inp.mean(axis=0), np.sqrt(inp.var(axis=0) + eps)
    else:
        mean, variance = mv
        std = np.sqrt(variance)
    xhat = (inp - mean) / std
    return gamma * xhat + beta, (xhat, gamma, std)


def batch_normalize_backward(dout, cache):
    xhat, gamma, std = cache
    d = dout * gamma
    dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
