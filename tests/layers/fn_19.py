import numpy as np


def forward_batchnorm(x, gamma, beta, eps=1e-5):
    mean = x.mean(axis=0)
    sq = ((x - mean) ** 2).mean(axis=0)
    inv = 1 / np.sqrt(sq + eps)
    norm = (x - mean) * inv
    return gamma * norm + beta, (x, norm, inv, gamma)


def backward_batchnorm(grad, cache):
    x, norm, inv, gamma = cache
    m = grad.shape[0]
    grad_beta = grad.mean(axis=0)
    grad_gamma = (grad * norm).mean(axis=0)
    g = grad * gamma
    grad_x = inv * (g - g.sum(axis=0) / m)
    return grad_x, grad_gamma, grad_beta
