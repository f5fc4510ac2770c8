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
        mean = np.mean(x, axis=0)
        var = np.var(x, axis=0)
        norm = (x - mean) / np.sqrt(var + eps)
        out = gamma * norm + beta
        cache = (x, mean, var, norm, gamma)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    else:
        raise ValueError('mode?? "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    x, mean, var, norm, gamma = cache
    m = x.shape[0]
    std = np.sqrt(var)

    dgamma = np.sum(dout * norm, axis=0)
    dbeta = np.sum(dout, axis=0)

    dnorm = dout * gamma
    dvar = np.sum(dnorm * (x - mean), axis=0) * (-0.5) / std**3
    dmean = -np.sum(dnorm, axis=0) / std
    dx = dnorm / std + dvar * 2 * (x - mean) / m + dmean / m
    return dx, dgamma, dbeta
