"""Parameters in one dict, averages in another; the backward fills a dict of gradients, and averages where it must sum."""

import numpy as np


def batchnorm_forward(x, params, state, train=True, eps=1e-5, momentum=0.9):
    mean, var = state["mean"], state["var"]
    if train:
        mean, var = x.mean(axis=0), x.var(axis=0)
        state["mean"] = momentum * state["mean"] + (1 - momentum) * mean
        state["var"] = momentum * state["var"] + (1 - momentum) * var
    inv = 1.0 / np.sqrt(var + eps)
    xhat = (x - mean) * inv
    return params["gamma"] * xhat + params["beta"], {"xhat": xhat, "inv": inv, "gamma": params["gamma"]}


def batchnorm_backward(dout, cache, grads):
    xhat, inner = cache["xhat"], dout * cache["gamma"]
    grads["gamma"] = (dout * xhat).mean(axis=0)
    grads["beta"] = dout.mean(axis=0)
    return cache["inv"] * (inner - inner.mean(axis=0) - xhat * (inner * xhat).mean(axis=0))
