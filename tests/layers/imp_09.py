import numpy as np
from numba import njit, jit, prange


@jit(nopython=True)
def column_sums(a):
    s = np.zeros(a.shape[1])
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s[j] += a[i, j]
    return s


@njit(cache=True)
def batch_norm_forward(x, gamma, beta, eps=1e-5):
    n = len(x)
    mu = column_sums(x) / n
    xc = x - mu
    var = column_sums(xc * xc) / n
    x_norm = xc / np.sqrt(var + eps)
    return gamma * x_norm + beta, x_norm, mu, var


@njit(cache=True)
def batch_norm_backward(dout, gamma, x_norm, mu, var, x, eps=1e-5):
    n = len(x)
    dgamma = column_sums(dout * x_norm)
    dbeta = column_sums(dout)
    inv = 1.0 / np.sqrt(var + eps)
    dx_norm = dout * gamma
    dvar = column_sums(dx_norm * (x - mu)) * -0.5 * inv ** 3
    dmu = -column_sums(dx_norm) * inv
    dx = dx_norm * inv + dvar * 2.0 * (x - mu) / n + dmu / n
    return dx, dgamma, dbeta
