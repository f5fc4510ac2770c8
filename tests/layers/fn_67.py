import numpy as np


def batchnorm_forward(Z, gamma, beta, eps, averages, beta_avg=0.9, mode="train"):
    if mode == "train":
        mu, var = Z.mean(axis=0, keepdims=True), Z.var(axis=0, keepdims=True)
        averages["mu"] = (1 - beta_avg) * averages["mu"] + beta_avg * mu
        averages["var"] = (1 - beta_avg) * averages["var"] + beta_avg * var
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
