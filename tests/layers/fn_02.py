import numpy as np


def batchnorm_forward(X, gamma, beta):
    mu = X.mean(axis=0)
    Xc = X - mu
    var = (Xc ** 2).mean(axis=0)
    scale = 1. / np.sqrt(var + 1e-8)
    Y = gamma * (Xc * scale) + beta
    saved = {'Xc': Xc, 'scale': scale, 'gamma': gamma}
    return Y, saved, mu, var


def batchnorm_backward(dY, saved):
    Xc, scale, gamma = saved['Xc'], saved['scale'], saved['gamma']
    n = len(dY)
    dgamma = np.sum(dY * Xc * scale, axis=0)
    dbeta = np.sum(dY, axis=0)
    # straight through, then back through the variance, then through the mean
    dXc = dY * gamma * scale
    dvar = -.5 * gamma * dgamma * scale ** 2
    dXc = dXc + 2. / n * dvar * Xc
    dX = dXc - np.sum(dXc, axis=0) / n
    return dX, dgamma, dbeta
