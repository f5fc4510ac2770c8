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
        mu = np.mean(x, axis=0)
        var = np.var(x, axis=0)
        x_stand = (x - mu) / np.sqrt(var + eps)
        out = x_stand * gamma + beta
        running_mean = momentum * running_mean + (1.0 - momentum) * mu
        running_var = momentum * running_var + (1.0 - momentum) * var
        cache = (mu, var, x_stand, x, gamma, beta, eps)
    elif mode == "test":
        x_stand = (x - running_mean) / np.sqrt(running_var)
        out = x_stand * gamma + beta
    else:
        raise ValueError('Invalid mode "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    mu, var, x_stand, x, gamma, beta, eps = cache
    N = dout.shape[0]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(x_stand * dout, axis=0)
    s = 1.0 / np.sqrt(var + eps)
    dx = s * gamma * dout - s * gamma * dbeta / N - s * gamma * x_stand * dgamma / N
    return dx, dgamma, dbeta
