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
        sample_mean = x.mean(axis=0)
        sample_var = x.var(axis=0)
        xn = (x - sample_mean) / np.sqrt(sample_var + eps)
        out = xn * gamma + beta
        running_mean = momentum * running_mean + (1 - momentum) * sample_mean
        running_var = momentum * running_var + (1 - momentum) * sample_var
        cache = (xn, sample_var, gamma, eps)
    elif mode == "test":
        out = (x - running_mean) / np.sqrt(running_var + eps) * gamma + beta
    else:
        raise ValueError("no such mode: %s" % mode)
    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    xn, sample_var, gamma, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout)
    dgamma = np.sum(xn * dout)
    dxn = dout * gamma
    dx = 1 / np.sqrt(sample_var + eps) * (dxn - dxn.mean(axis=0) - xn * (dxn * xn).mean(axis=0))
    return dx, dgamma, dbeta
