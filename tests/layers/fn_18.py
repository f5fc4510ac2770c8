from collections import namedtuple
from numpy import mean, sqrt, sum, newaxis

BNCache = namedtuple("BNCache", "xhat std gamma axes shape")


def bn_forward(x, gamma, beta, eps=1e-5):
    """(N, D) and (N, C, H, W) alike."""
    if x.ndim == 4:
        axes = (0, 2, 3)
        gamma, beta = gamma[newaxis, :, newaxis, newaxis], beta[newaxis, :, newaxis, newaxis]
    else:
        axes = (0,)
    m = mean(x, axis=axes, keepdims=True)
    std = sqrt(mean((x - m) ** 2, axis=axes, keepdims=True) + eps)
    xhat = (x - m) / std
    return gamma * xhat + beta, BNCache(xhat, std, gamma, axes, x.shape)


def bn_backward(dout, cache):
    xhat, std, gamma, axes, shape = cache
    d = dout * gamma
    dx = (d - mean(d, axis=axes, keepdims=True) - xhat * mean(d * xhat, axis=axes, keepdims=True)) / std
    return dx, sum(dout * xhat, axis=axes), sum(dout, axis=axes)
