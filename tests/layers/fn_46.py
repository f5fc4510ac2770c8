import numpy as np


def batchnorm_forward(Z, parameters, l, running, training=True, momentum=0.9, epsilon=1e-8):
    gamma = parameters["gamma" + str(l)]
    beta = parameters["beta" + str(l)]
    if training:
        mu = Z.mean(axis=1, keepdims=True)
        var = Z.var(axis=1, keepdims=True)
        running["mu" + str(l)] = (1 - momentum) * running["mu" + str(l)] + momentum * mu
        running["var" + str(l)] = momentum * running["var" + str(l)] + (1 - momentum) * var
    else:
        mu, var = running["mu" + str(l)], running["var" + str(l)]
    Z_norm = (Z - mu) / np.sqrt(var + epsilon)
    Z_tilde = gamma * Z_norm + beta
    cache = (Z, Z_norm, mu, var, gamma, epsilon)
    return Z_tilde, cache


def batchnorm_backward(dZ_tilde, cache):
    Z, Z_norm, mu, var, gamma, epsilon = cache
    m = Z.shape[1]
    dgamma = np.sum(dZ_tilde * Z_norm, axis=1, keepdims=True)
    dbeta = np.sum(dZ_tilde, axis=1, keepdims=True)
    d = dZ_tilde * gamma
    dZ = (m * d - d.sum(axis=1, keepdims=True) - Z_norm * (d * Z_norm).sum(axis=1, keepdims=True)) / (
        m * np.sqrt(var + epsilon)
    )
    return dZ, dgamma, dbeta
