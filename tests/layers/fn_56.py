import numpy as np


def batchnormforward(x, gamma, beta, eps=1e-5):
    mean, var = x.mean(axis=0), x.var(axis=0)
    centred = x - mean
    scale = 1 / np.sqrt(var + eps)
    normed = centred * scale
    return gamma * normed, (normed, scale, gamma)


def batchnormbackward(dout, cache):
    normed, scale, gamma = cache
    g = dout * weight
    dx = scale * (g - g.mean(axis=0) - normed * (g * normed).mean(axis=0))
    return dx, (dout * normed).sum(axis=0), dout.sum(axis=0)
