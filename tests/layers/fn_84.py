import numpy as np


def batchnorm_forward(x, gamma, beta, conf):
    stage, keep, eps = conf["mode"], conf["momentum"], conf["eps"]
    if stage == "apply":
        mu, var = conf["running_mean"], conf["running_var"]
    elif stage == "learn":
        mu, var = x.mean(axis=0), x.var(axis=0)
        conf["running_mean"] = keep * conf.get("running_mean", 0.0) + (1 - keep) * mu
        conf["running_var"] = keep * conf.get("running_var", 1.0) + (1 - keep) * var
    else:
        raise ValueError(stage)
    std = np.sqrt(var + eps)
    xhat = (x - mu) / std
    return gamma * xhat + beta, (xhat, gamma, std)


def batchnorm_backward(dout, cache):
    xhat, gamma, std = cache
    d = dout * gamma
    dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
