import numpy as np


def exp_running_avg(running, new, gamma=.9):
    return gamma * running + (1. - gamma) * new


def bn_forward(X, gamma, beta, cache, momentum=.9, train=True, eps=1e-5):
    running_mean, running_var = cache

    if train:
        mu = np.mean(X, axis=0)
        var = np.var(X, axis=0)
        X_norm = (X - mu) / np.sqrt(var + eps)
        out = gamma * X_norm + beta
        cache = (X, X_norm, mu, var, gamma, beta, eps)
        running_mean = exp_running_avg(running_mean, mu, momentum)
        running_var = exp_running_avg(var, running_var, momentum)
    else:
        X_norm = (X - running_mean) / np.sqrt(running_var + eps)
        out = gamma * X_norm + beta
        cache = None

    return out, cache, running_mean, running_var


def bn_backward(dout, cache):
    X, X_norm, mu, var, gamma, beta, eps = cache
    N = X.shape[0]
    std_inv = (var + eps) ** -0.5
    dX_norm = dout * gamma
    dX = std_inv * (dX_norm - dX_norm.mean(0) - X_norm * (dX_norm * X_norm).mean(0))
    dgamma = np.sum(dout * X_norm, axis=0)
    dbeta = np.sum(dout, axis=0)
    return dX, dgamma, dbeta
