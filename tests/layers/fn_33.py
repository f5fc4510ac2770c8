import numpy as np


def bn_forward(x, gamma, beta, training=True, running_mean=None, running_var=None, momentum=0.9, eps=1e-5):
    if not training:
        return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta, None, running_mean, running_var
    mu, var = x.mean(axis=0), x.var(axis=0)
    std = np.sqrt(var + eps)
    xhat = (x - mu) / std
    updated_running_mean = momentum * running_mean + (1 - momentum) * mu
    updated_running_var = momentum * running_var + (1 - momentum) * var
    return gamma * xhat + beta, (xhat, gamma, std), updated_running_mean, updated_running_var


def bn_backward(dout, cache):
    xhat, gamma, std = cache
    g = dout * gamma
    dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
