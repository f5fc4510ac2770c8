import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)

    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))

    mean = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    cache = None
    if mode == "train":
        x_normalized = (x - mean) / np.sqrt(var + eps)
        cache = (x, mean, var, x_normalized, gamma, beta, eps)
    elif mode == "test":
        x_normalized = (x - running_mean) / np.sqrt(running_var + eps)
    else:
        raise ValueError("Invalid mode %s" % mode)
    out = gamma * x_normalized + beta

    # keep the averages for later
    bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
    bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    return out, cache


def batchnorm_backward(dout, cache):
    x, mean, var, x_normalized, gamma, beta, eps = cache
    N, D = dout.shape
    dgamma = np.sum(x_normalized * dout, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxn = dout * gamma
    dvar = -0.5 * np.sum(dxn * (x - mean), axis=0) * np.power(var + eps, -3.0 / 2)
    dmean = -np.sum(dxn, axis=0) * np.power(var + eps, -0.5)
    dx = dxn * np.power(var + eps, -0.5) + 2.0 / N * dvar * (x - mean) + dmean / N
    return dx, dgamma, dbeta
