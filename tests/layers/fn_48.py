import numpy as np


def batchnorm_forward(x, params, layer, cache, eps=1e-5):
    gamma = params[f"gamma{layer}"]
    beta = params[f"beta{layer}"]
    mu, var = x.mean(axis=0), x.var(axis=0)
    xhat = (x - mu) / np.sqrt(var + eps)
    cache[f"xhat{layer}"] = xhat
    cache[f"std{layer}"] = np.sqrt(var + eps)
    return gamma * xhat + beta


def batchnorm_backward(dout, params, layer, cache, grads):
    xhat, std = cache[f"xhat{layer}"], cache[f"std{layer}"]
    grads[f"dgamma{layer}"] = np.mean(dout * xhat, axis=0)
    grads[f"dbeta{layer}"] = np.sum(dout, axis=0)
    dxhat = dout * params[f"gamma{layer}"]
    return (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std
