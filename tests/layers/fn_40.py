import numpy as np


def bn_forward(a, mean, var, gamma, beta, training=True, eps=1e-5):
    # the caller averages what comes back
    if not training:
        return gamma * (a - mean) / np.sqrt(var + eps) + beta, None, None, None
    batch_mean, batch_var = a.mean(axis=0), a.var(axis=0)
    inv = 1 / np.sqrt(batch_var + eps)
    hat = (a - batch_mean) * inv
    return gamma * hat + beta, (hat, inv, gamma), batch_mean, batch_var


def bn_backward(da, cache):
    hat, inv, gamma = cache
    g = gamma * da
    return inv * (g - g.mean(axis=0) - hat * (g * hat).mean(axis=0)), (da * hat).sum(axis=0), da.sum(axis=0)
