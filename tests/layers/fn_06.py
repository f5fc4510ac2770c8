import numpy as np

__all__ = ["batchnorm_forward", "batchnorm_backward"]


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    x_hat = (x - mu) / np.sqrt(var + eps)
    cache = {"x": x, "x_hat": x_hat, "mu": mu, "var": var, "gamma": gamma}
    return gamma * x_hat + beta, cache


def batchnorm_backward(dout, x, x_hat, mu, var, gamma, eps=1e-3):
    n = x.shape[0]
    dx_hat = dout * gamma
    dvar = np.sum(-0.5 * dx_hat * (x - mu) * (var + eps) ** -1.5, axis=0)
    dmu = np.sum(-dx_hat / np.sqrt(var + eps), axis=0)
    dx = dx_hat / np.sqrt(var + eps) + 2 * dvar * (x - mu) / n + dmu / n
    return dx, np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)
