import numpy as np


def batch_normalize(inp, bg, epsilon=1e-5):
    beta, gamma = bg
    mean = inp.mean(axis=(0, 2, 3))[:, None, None]
    inv_std = 1 / np.sqrt(inp.var(axis=(0, 2, 3))[:, None, None] + epsilon)
    x_hat = (inp - mean) * inv_std
    return gamma[:, None, None] * x_hat + beta[:, None, None], (inv_std, x_hat, gamma)


def batch_normalize_backprop(delta_out, cache):
    inv_std, x_hat, gamma = cache
    n = delta_out.shape[0]
    d = delta_out * gamma[:, None, None]
    through = d.sum(axis=(0, 2, 3))[:, None, None] + x_hat * (d * x_hat).sum(axis=(0, 2, 3))[:, None, None]
    dx = inv_std * (d - through / n)
    db, dg = delta_out.sum(axis=(0, 2, 3)), (delta_out * x_hat).sum(axis=(0, 2, 3))
    return dx, np.stack((db, dg))
