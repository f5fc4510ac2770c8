import numpy as np


def relu(Z):
    return np.maximum(0, Z)


def batchnorm_forward(Z, gamma, beta, epsilon=1e-8):
    """
    Z -- linear output of the layer, shape (n, m): n units, m examples
    gamma, beta -- shape (n, 1)
    """
    mu = np.mean(Z, axis=1, keepdims=True)
    sigma2 = np.mean((Z - mu) ** 2, axis=1, keepdims=True)
    Z_norm = (Z - mu) / np.sqrt(sigma2 + epsilon)
    Z_tilde = gamma * Z_norm + beta
    cache = (Z_norm, gamma, sigma2, epsilon)
    return Z_tilde, cache


def batchnorm_backward(dZ_tilde, cache):
    Z_norm, gamma, sigma2, epsilon = cache
    m = dZ_tilde.shape[1]
    dbeta = np.sum(dZ_tilde, axis=1, keepdims=True)
    dgamma = np.sum(dZ_tilde * Z_norm, axis=1, keepdims=True)
    dZ_norm = dZ_tilde * gamma
    dZ = dZ_norm - np.sum(dZ_norm, axis=1, keepdims=True) / m
    dZ -= Z_norm * np.sum(dZ_norm * Z_norm, axis=1, keepdims=True) / m
    dZ /= np.sqrt(sigma2 + epsilon)
    return dZ, dgamma, dbeta
