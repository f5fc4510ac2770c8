import numpy as np

def bn_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(0); var = x.var(0)
    xhat = (x - mu) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, var + eps)

def bn_backward(dy, gamma, cache):
    xhat, v = cache
    dgamma, dbeta = (dy * xhat).sum(0), dy.sum(0)
    dx = gamma * (dy - dbeta / len(dy) - xhat * dgamma / len(dy)) / np.sqrt(v)
    return dx, dgamma, dbeta
