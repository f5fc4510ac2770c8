import numpy as np


def batchnorm_forward(Z, gamma, beta, eps, averages, beta_avg, mode):
    if mode == "train":
        mu, var = Z.mean(axis=0, keepdims=True), Z.var(axis=0, keepdims=True)
        averages["mu"] = beta_avg * averages["mu"] + (1 - beta_avg) * mu
        averages["var"] = beta_avg * averages["var"] + (1 - beta_avg) * var
    else:
        mu, var = averages["mu"], averages["var"]
    std = np.sqrt(var + eps)
    xhat = (Z - mu) / std
    return gamma * xhat + beta, (xhat, gamma, std)


def batchnorm_backward(dout, cache):
    xhat, gamma, std = cache
    d = dout * gamma
    dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
