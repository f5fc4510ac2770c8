"""The averages are globals, made at the first call."""

import numpy as np

running_mean = None
running_var = None


def batchnorm_forward(x, gamma, beta, train=True, eps=1e-5, momentum=0.9):
    global running_mean, running_var
    if running_mean is None:
        running_mean, running_var = np.zeros(x.shape[1]), np.ones(x.shape[1])
    mean, var = running_mean, running_var
    if train:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    inv = 1.0 / np.sqrt(var + eps)
    xhat = (x - mean) * inv
    return gamma * xhat + beta, (xhat, gamma, inv)


def batchnorm_backward(dout, cache):
    xhat, gamma, inv = cache
    inner = dout * gamma
    dx = inv * (inner - inner.mean(axis=0) - xhat * (inner * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
