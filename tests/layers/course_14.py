import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    out, cache = None, None
    if mode == "train":
        mu = x.mean(axis=0)
        var = x.var(axis=0) + eps
        std = var**0.5
        z = (x - mu) / std
        out = gamma * z + beta
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
        cache = (z, std, gamma)
    elif mode == "test":
        z = (x - running_mean) / np.sqrt(running_var + eps)
        out = gamma * z + beta
    else:
        raise ValueError('Invalid forward mode "%s"' % mode)
    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    z, std, gamma = cache
    N = dout.shape[0]
    dbeta = dout.sum(axis=0)
    dgamma = (z * dout).sum(axis=0)
    dz = dout * gamma
    dx = (dz - dz.sum(axis=0) / N - z * (dz * z).sum(axis=0) / N) / std
    return dx, dgamma, dbeta
