"""Averages in lists of the module, one entry a layer; both functions are told which layer it is."""

import numpy as np

running_means, running_vars = [0.0, 0.0], [1.0, 1.0]


def bn_forward(x, gamma, beta, idx, train=True, momentum=0.9, eps=1e-5):
    mean, var = running_means[idx], running_vars[idx]
    if train:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_means[idx] = momentum * running_means[idx] + (1 - momentum) * mean
        running_vars[idx] = momentum * running_vars[idx] + (1 - momentum) * var
    inv = 1.0 / np.sqrt(var + eps)
    xhat = (x - mean) * inv
    return gamma * xhat + beta, (xhat, gamma, inv)


def bn_backward(dout, cache, idx):
    xhat, gamma, inv = cache
    inner = dout * gamma
    dx = inv * (inner - inner.mean(axis=0) - xhat * (inner * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
