"""The settings are an object; its averages are replaced as attributes, and the gradients come back as dx and a dict."""

import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mean, var = bn_param.running_mean, bn_param.running_var
    if bn_param.mode == "train":
        mean, var = x.mean(axis=0), x.var(axis=0)
        keep = bn_param.momentum
        bn_param.running_mean = keep * bn_param.running_mean + (1 - keep) * mean
        bn_param.running_var = keep * bn_param.running_var + (1 - keep) * var
    inv = 1.0 / np.sqrt(var + bn_param.eps)
    xhat = (x - mean) * inv
    return gamma * xhat + beta, (xhat, gamma, inv)


def batchnorm_backward(dout, cache):
    xhat, gamma, inv = cache
    inner = dout * gamma
    dx = inv * (inner - inner.mean(axis=0) - xhat * (inner * xhat).mean(axis=0))
    return dx, {"gamma": (dout * xhat).sum(axis=0), "beta": dout.sum(axis=0)}
