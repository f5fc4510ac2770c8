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
        a = np.mean(x, axis=0)
        b = x - a
        c = np.mean(b**2, axis=0)
        d = np.sqrt(c + eps)
        e = 1 / d
        f = b * e
        out = gamma * f + beta
        cache = (b, c, d, e, f, gamma, eps)
        running_mean = momentum * running_mean + (1 - momentum) * a
        running_var = momentum * running_var + (1 - momentum) * c
    elif mode == "test":
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    else:
        raise ValueError(mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    b, c, d, e, f, gamma, eps = cache
    N = dout.shape[0]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * b, axis=0)
    df = dout * gamma
    de = np.sum(df * b, axis=0)
    db = df * e
    dd = -de / d**2
    dc = dd / (2 * d)
    db = db + dc * 2 * b / N
    dx = db - np.sum(db, axis=0) / N
    return dx, dgamma, dbeta
