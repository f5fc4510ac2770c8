import numpy as np


def batch_norm_forward_m(x, gamma, betta, mode, name, bn_param):
    """One dict for all layers of a network, its keys told apart by the layer's name; betta."""
    if "running_mean" + name not in bn_param:
        bn_param["running_mean" + name], bn_param["running_var" + name] = np.zeros(x.shape[1]), np.ones(x.shape[1])
    mean, var = bn_param["running_mean" + name], bn_param["running_var" + name]
    if mode != "train":
        return gamma * (x - mean) / np.sqrt(var + 1e-8) + betta, None
    mu, sigma = x.mean(axis=0), x.var(axis=0)
    bn_param["running_mean" + name] = 0.9 * mean + 0.1 * mu
    bn_param["running_var" + name] = 0.9 * var + 0.1 * sigma
    xhat = (x - mu) / np.sqrt(sigma + 1e-8)
    return gamma * xhat + betta, (xhat, sigma, gamma)


def batch_norm_backward_m(dout, cache):
    xhat, sigma, gamma = cache
    g = dout * gamma
    dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / np.sqrt(sigma + 1e-8)
    dbetta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    return dx, dgamma, dbetta
