import numpy as np


def batch_norm(x, gamma, beta, eps=1e-5):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


def d_batch_norm(gamma, x_hat, var, g, eps=1e-5):
    d = g * gamma
    dx = (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / np.sqrt(var)
    return dx, (g * x_hat).sum(axis=0), g.sum(axis=0)
