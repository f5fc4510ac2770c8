import numpy as np


def bn_forward_naive(x, gamma, beta, eps=1e-5):
    """Plain loops, to have something to compare the fast one with."""
    N, D = x.shape
    out = np.zeros_like(x)
    mean, var = np.zeros(D), np.zeros(D)
    for d in range(D):
        for n in range(N):
            mean[d] += x[n, d] / N
        for n in range(N):
            var[d] += (x[n, d] - mean[d]) ** 2 / N
        for n in range(N):
            out[n, d] = gamma[d] * (x[n, d] - mean[d]) / np.sqrt(var[d] + eps) + beta[d]
    return out, (x, gamma, mean, var, eps)


def bn_backward_naive(dout, cache):
    x, gamma, mean, var, eps = cache
    N, D = x.shape
    dx = np.zeros_like(x)
    dgamma, dbeta = np.zeros(D), np.zeros(D)
    for d in range(D):
        s = np.sqrt(var[d] + eps)
        for n in range(N):
            dbeta[d] += dout[n, d]
            dgamma[d] += dout[n, d] * (x[n, d] - mean[d]) / s
        # the full N x N Jacobian of this column
        jac = np.zeros((N, N))
        for i in range(N):
            for k in range(N):
                jac[i, k] = (i == k) - 1 / N - (x[i, d] - mean[d]) * (x[k, d] - mean[d]) / (N * s**2)
        dx[:, d] = gamma[d] / s * jac.T.dot(dout[:, d])
    return dx, dgamma, dbeta
