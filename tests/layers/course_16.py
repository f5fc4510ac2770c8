import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)

    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))

    out, cache = None, None
    if mode == "train":
        mean = np.mean(x, axis=0)
        variance = np.var(x, axis=0)
        x_hat = (x - mean) / np.sqrt(variance + eps)
        out = gamma * x_hat + beta
        cache = (x, x_hat, mean, variance, gamma, eps)

        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * variance
        return out, cache
    elif mode == "test":
        x_hat = (x - running_mean) / np.sqrt(running_var + eps)
        out = gamma * x_hat + beta
    else:
        raise ValueError('Invalid mode "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    x, x_hat, mean, variance, gamma, eps = cache
    N = x.shape[0]
    s = np.sqrt(variance + eps)
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    dx_hat = dout * gamma
    dsigma = (dx_hat * (x - mean)).sum(axis=0) * -1 / s**2
    dv = dsigma / 2 / s
    dx = dx_hat / s + dv * 2 * (x - mean) / N
    dx = dx - dx.mean(axis=0)
    return dx, dgamma, dbeta
