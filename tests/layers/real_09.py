import numpy as np


def bn_forward(x, gamma, beta, rm, rv, momentum=0.9, training=True):
    """Signals: (N, C, L)."""
    n, c, length = x.shape
    mu, var = x.mean((0, 2)), x.var((0, 2))
    if training:
        rm[:] = momentum * rm + (1 - momentum) * mu
        rv[:] = momentum * rv + (1 - momentum) * var
    else:
        mu, var = rm, rv
    std = np.sqrt(var + 1e-5)[:, None]
    xhat = (x - mu[:, None]) / std
    return gamma[:, None] * xhat + beta[:, None], (xhat, gamma, std)


def bn_backward(dout, cache):
    xhat, gamma, std = cache
    g = dout * gamma[:, None]
    dx = (g - g.mean((0, 2), keepdims=True) - xhat * (g * xhat).mean((0, 2), keepdims=True)) / std
    return dx, (dout * xhat).sum((0, 2)), dout.sum((0, 2))
