import enum
import numpy as np


class Phase(enum.Enum):
    TRAINING = 1
    INFERENCE = 2


def batchnorm_forward(x, gamma, beta, running_mean, running_var, mode: Phase, momentum=0.9, eps=1e-5):
    if mode == Phase.TRAINING:
        mu, var = x.mean(0), x.var(0)
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mu, var = running_mean, running_var
    xhat = (x - mu) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, var, gamma, eps), running_mean, running_var


def batchnorm_backward(dout, cache):
    xhat, var, gamma, eps = cache
    g = dout * gamma
    return (g - g.mean(0) - xhat * (g * xhat).mean(0)) / np.sqrt(var + eps), (dout * xhat).sum(0), dout.sum(0)
