import numpy as np


def bn_forward(x, gamma, beta, eps=1e-5):
    mu, var = x.mean(axis=0), x.var(axis=0)
    std = np.sqrt(var + eps)
    xhat = (x - mu) / std
    return gamma * xhat + beta, (xhat, std, gamma, beta)


def bn_backward(dout, cache, lr=0.05):
    xhat, std, gamma, beta = cache
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    g = dout * gamma
    dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / std
    gamma -= lr * dgamma
    beta -= lr * dbeta
    return dx, dgamma, dbeta
