import numpy as np


def batch_norm(x, gamma, beta, running_mean, running_var, is_training, momentum=0.99, eps=1e-3):
    """Keras' defaults. Returns y, cache and the updated averages."""
    if is_training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    std = np.sqrt(var + eps)
    xhat = (x - mean) / std
    return gamma * xhat + beta, (xhat, std, gamma, is_training), running_mean, running_var


def batch_norm_grad(dy, cache):
    xhat, std, gamma, is_training = cache
    dxhat = dy * gamma
    dx = dxhat / std
    if is_training:
        dx = dx - (dxhat.mean(axis=0) + xhat * (dxhat * xhat).mean(axis=0)) / std
    return dx, (dy * xhat).sum(axis=0), dy.sum(axis=0)
