import numpy as np


def batch_norm_forward(x, gamma, beta):
    mu = np.mean(x, axis=0)
    sigma = np.std(x, axis=0)
    x_hat = (x - mu) / sigma
    y = gamma * x_hat + beta
    return y, (x_hat, sigma, gamma)


def batch_norm_backward(dy, cache):
    x_hat, sigma, gamma = cache
    m = dy.shape[0]
    dgamma = np.sum(dy * x_hat, axis=0)
    dbeta = np.sum(dy, axis=0)
    dx = gamma / (m * sigma) * (m * dy - dbeta - x_hat * dgamma)
    return dx, dgamma, dbeta
