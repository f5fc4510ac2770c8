"""One dict goes through everything: parameters, averages, what the backward needs, and in the end the gradients."""

import numpy as np


def bn_forward(x, bn, train=True):
    mean, var = bn["running_mean"], bn["running_var"]
    if train:
        mean, var = x.mean(axis=0), x.var(axis=0)
        bn["running_mean"] = bn["momentum"] * bn["running_mean"] + (1 - bn["momentum"]) * mean
        bn["running_var"] = bn["momentum"] * bn["running_var"] + (1 - bn["momentum"]) * var
    bn["inv"] = 1.0 / np.sqrt(var + bn["eps"])
    bn["xhat"] = (x - mean) * bn["inv"]
    return bn["gamma"] * bn["xhat"] + bn["beta"]


def bn_backward(dout, layer):
    xhat, inner = layer["xhat"], dout * layer["gamma"]
    layer["dgamma"] = (dout * xhat).sum(axis=0)
    layer["dbeta"] = dout.sum(axis=0)
    return layer["inv"] * (inner - inner.mean(axis=0) - xhat * (inner * xhat).mean(axis=0))
