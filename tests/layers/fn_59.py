import numpy as np


def BatchNorm(s, mu=None, var=None):
    if mu is None:
        mu = s.mean(axis=1, keepdims=True)
    if var is None:
        var = s.var(axis=1)
    return np.diag(1 / np.sqrt(var + 1e-5)) @ (s - mu), mu, var


def BatchNormBackPass(G, S, mu, var):
    root = np.sqrt(var + 1e-5)[:, None]
    hat = (S - mu) / root
    return (G - hat * (G * hat).mean(axis=1, keepdims=True)) / root
