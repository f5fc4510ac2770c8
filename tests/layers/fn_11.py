import numpy as np


def batch_norm_forward(x, gamma, beta, eps=1e-5):
    # normalize every sample
    mean = np.mean(x, axis=1, keepdims=True)
    var = np.var(x, axis=1, keepdims=True)
    xn = (x - mean) / np.sqrt(var + eps)
    out = gamma * xn + beta
    return out, (xn, var, gamma, eps)


def batch_norm_backward(dout, cache):
    xn, var, gamma, eps = cache
    D = dout.shape[1]
    dgamma = np.sum(dout * xn, axis=0)
    dbeta = np.sum(dout, axis=0)
    g = dout * gamma
    dx = g - np.sum(g, axis=1, keepdims=True) / D - xn * np.sum(g * xn, axis=1, keepdims=True) / D
    return dx / np.sqrt(var + eps), dgamma, dbeta
