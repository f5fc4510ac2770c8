import numpy as np


def batch_norm_naive(inputs, scale, offset, eps=1e-5):
    mean, variance = inputs.mean(axis=0), inputs.var(axis=0)
    return (inputs - mean) / np.sqrt(variance + eps) * scale + offset


def d_batch_norm_naive(inputs, scale, offset, grad_y, saved_mean, saved_var, eps=1e-5):
    inv = 1 / np.sqrt(saved_var + eps)
    xhat = (inputs - saved_mean) * inv
    d = grad_y * scale
    dx = inv * (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0))
    return dx, (grad_y * xhat).sum(axis=0), grad_y.sum(axis=0)
