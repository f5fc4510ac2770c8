import numpy as np


def batchnorm_fwd(x, params, eps=1e-5):
    gamma, beta = params["gamma"], params["beta"]
    mu = np.mean(x, axis=0)
    var = np.mean(np.square(x - mu), axis=0)
    norm = (x - mu) / np.sqrt(var + eps)
    return gamma * norm + beta, {"norm": norm, "var": var, "gamma": gamma, "eps": eps}


def batchnorm_bwd(dout, cache):
    norm, gamma = cache["norm"], cache["gamma"]
    dnorm = dout * gamma
    dx = dnorm - np.mean(dnorm, axis=0) - norm * np.mean(dnorm * norm, axis=0)
    dx = dx / np.sqrt(cache["var"] + cache["eps"])
    grads = {
        "dx": dx,
        "dgamma": np.sum(dout * norm, axis=0),
        "dbeta": np.sum(dout, axis=0),
    }
    return grads
