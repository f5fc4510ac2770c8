import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    D = x.shape[1]
    run_m = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    run_v = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))

    if mode == "train":
        mu, var = x.mean(0), x.var(0)
        xhat = (x - mu) / np.sqrt(var + eps)
        out = gamma * xhat + beta
        bn_param["running_mean"] = momentum * run_m + (1.0 - momentum) * mu
        bn_param["running_var"] = momentum * run_v + (1.0 - momentum) * var
        cache = (xhat, gamma, var, eps)
    elif mode == "test":
        xhat = (x - run_m) / np.sqrt(run_v + eps)
        out = gamma * xhat + beta
        cache = None
    else:
        raise ValueError(mode)
    return out, cache


def batchnorm_backward(dout, cache):
    xhat, gamma, var, eps = cache
    N = dout.shape[0]
    dgamma = (xhat * dout).sum(0)
    dbeta = dout.sum(0)
    dx = (N * dout - dout.sum(0) - xhat * (dout * xhat).sum(0)) / N / np.sqrt(var + eps)
    return dx, dgamma, dbeta
