import numpy as np

eps = 1e-8


def exp_running_avg(running, new, gamma=.9):
    return gamma * running + (1. - gamma) * new


def fc_forward(X, W, b):
    out = X @ W + b
    cache = (W, X)
    return out, cache


def fc_backward(dout, cache):
    W, h = cache
    dW = h.T @ dout
    db = np.sum(dout, axis=0)
    dX = dout @ W.T
    return dX, dW, db


def bn_forward(X, gamma, beta, cache, momentum=.9, train=True):
    running_mean, running_var = cache

    if train:
        mu, var = X.mean(axis=0), X.var(axis=0)
        X_norm = (X - mu) / np.sqrt(var + eps)
        out = gamma * X_norm + beta
        cache = (X_norm, var, gamma)
        running_mean = exp_running_avg(running_mean, mu, momentum)
        running_var = exp_running_avg(running_var, var, momentum)
    else:
        X_norm = (X - running_mean) / np.sqrt(running_var + eps)
        out = gamma * X_norm + beta
        cache = None

    return out, cache, running_mean, running_var


def bn_backward(dout, cache):
    X_norm, var, gamma = cache
    N = dout.shape[0]
    g = dout * gamma
    dX = (g - g.sum(axis=0) / N - X_norm * (g * X_norm).sum(axis=0) / N) / np.sqrt(var + eps)
    dgamma = np.sum(dout * X_norm, axis=0)
    dbeta = np.sum(dout, axis=0)
    return dX, dgamma, dbeta
