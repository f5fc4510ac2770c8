import math


def batch_norm_forward(X, gamma, beta, eps=1e-5):
    n, d = len(X), len(X[0])
    mean = [sum(X[i][j] for i in range(n)) / n for j in range(d)]
    var = [sum((X[i][j] - mean[j]) ** 2 for i in range(n)) / n for j in range(d)]
    xhat = [[(X[i][j] - mean[j]) / math.sqrt(var[j] + eps) for j in range(d)] for i in range(n)]
    out = [[gamma[j] * xhat[i][j] + beta[j] for j in range(d)] for i in range(n)]
    return out, (xhat, gamma, var, eps)


def batch_norm_backward(dout, cache):
    xhat, gamma, var, eps = cache
    n, d = len(dout), len(dout[0])
    dbeta = [sum(dout[i][j] for i in range(n)) for j in range(d)]
    dgamma = [sum(dout[i][j] * xhat[i][j] for i in range(n)) for j in range(d)]
    dx = [[0.0] * d for _ in range(n)]
    for i in range(n):
        for j in range(d):
            dx[i][j] = (
                gamma[j]
                / (n * math.sqrt(var[j] + eps))
                * (n * dout[i][j] - dbeta[j] - xhat[i][j] * dgamma[j])
            )
    return dx, dgamma, dbeta
