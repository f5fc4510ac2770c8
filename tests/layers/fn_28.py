"""The averages and the batch's own numbers are attributes of the function; momentum is taken the wrong way round."""

import numpy as np


def bn_forward(x, gamma, beta, mode="train", eps=1e-5, momentum=0.9):
    if not hasattr(bn_forward, "running_mean"):
        bn_forward.running_mean = np.zeros(x.shape[1])
        bn_forward.running_var = np.ones(x.shape[1])
    bn_forward.mean, bn_forward.var = bn_forward.running_mean, bn_forward.running_var
    if mode == "train":
        bn_forward.mean, bn_forward.var = x.mean(axis=0), x.var(axis=0)
        bn_forward.running_mean = (1 - momentum) * bn_forward.running_mean + momentum * bn_forward.mean
        bn_forward.running_var = (1 - momentum) * bn_forward.running_var + momentum * bn_forward.var
    bn_forward.inv = 1.0 / np.sqrt(bn_forward.var + eps)
    bn_forward.xhat = (x - bn_forward.mean) * bn_forward.inv
    return gamma * bn_forward.xhat + beta


def bn_backward(dout, gamma):
    xhat, inv = bn_forward.xhat, bn_forward.inv
    inner = dout * gamma
    dx = inv * (inner - inner.mean(axis=0) - xhat * (inner * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
