import numpy as np


def batchnorm(x, gamma, beta, eps=1e-5):
    mu, var = x.mean(axis=0), x.var(axis=0)
    xhat = (x - mu) / np.sqrt(var + eps)
    return gamma * xhat + beta, {"xhat": xhat, "gamma": gamma, "var": var, "eps": eps}


def backward_params(delta, cache):
    return (delta * cache["xhat"]).mean(axis=0), delta.mean(axis=0)


def backward_input(delta, cache):
    d, xhat = delta * cache["gamma"], cache["xhat"]
    return (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / np.sqrt(cache["var"] + cache["eps"])
