import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    if mode == "train":
        mu = np.sum(x, axis=0) / N
        var = np.sum((x - mu) ** 2, axis=0) / N
        istd = (var + eps) ** -0.5
        xh = (x - mu) * istd
        out = xh * gamma + beta
        cache = {"xh": xh, "istd": istd, "gamma": gamma}
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        xh = (x - running_mean) * (running_var + eps) ** -0.5
        out = xh * gamma + beta
        cache = {}
    else:
        raise ValueError(mode)
    bn_param.update(running_mean=running_mean, running_var=running_var)
    return out, cache


def batchnorm_backward(dout, cache):
    xh, istd, gamma = cache["xh"], cache["istd"], cache["gamma"]
    dgamma = np.sum(dout, axis=0)
    dbeta = np.sum(dout * xh, axis=0)
    g = dout * gamma
    dx = istd * (g - np.mean(g, axis=0) - xh * np.mean(g * xh, axis=0))
    return dx, dgamma, dbeta
