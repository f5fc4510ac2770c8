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
        mu = x.mean(0)
        xmu = x - mu
        var = (xmu**2).mean(0)
        root = np.sqrt(var + eps)
        denom = root + eps
        xhat = xmu / denom
        out = gamma * xhat + beta
        cache = (xmu, xhat, root, denom, gamma)
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        xhat = (x - running_mean) / (np.sqrt(running_var + eps) + eps)
        out = gamma * xhat + beta
    else:
        raise ValueError(mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    xmu, xhat, root, denom, gamma = cache
    N = xmu.shape[0]
    dbeta = dout.sum(0)
    dgamma = (dout * xhat).sum(0)
    dxhat = dout * gamma
    ddenom = -(dxhat * xmu).sum(0) / denom**2
    dvar = ddenom * 0.5 / root
    dxmu = dxhat / denom + 2.0 / N * xmu * dvar
    dx = dxmu - dxmu.mean(0)
    return dx, dgamma, dbeta
