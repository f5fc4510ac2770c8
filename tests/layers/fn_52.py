import numpy as np


def batchnorm(x, gamma, beta, running_mean, running_var, momentum=0.9, eps=1e-5, is_training=True):
    if is_training:
        mean, var = np.mean(x, 0), np.var(x, 0)
        running_mean[:] = momentum * running_mean + (1 - momentum) * mean
        running_var[:] = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    xh = (x - mean) / np.sqrt(var + eps)

    def grad(dy):
        g = dy * gamma
        dx = (g - xh * (g * xh).mean(0)) / np.sqrt(var + eps)
        return dx, (dy * xh).sum(0), dy.sum(0)

    return gamma * xh + beta, grad
