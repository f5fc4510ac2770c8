import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)

    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))

    sample_mean = np.mean(x, axis=0)
    sample_var = np.var(x, axis=0)
    x_hat = (x - sample_mean) / np.sqrt(sample_var + eps)
    cache = (x_hat, sample_var + eps, gamma)

    if mode == "train":
        running_mean = momentum * running_mean + (1 - momentum) * sample_mean
        running_var = momentum * running_var + (1 - momentum) * sample_var
        out = gamma * x_hat + beta
    elif mode == "test":
        out = gamma * x_hat + beta
    else:
        raise ValueError("Invalid mode %s" % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    x_hat, var_eps, gamma = cache
    N = len(dout)
    dgamma = np.sum(dout * x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx_hat = gamma * dout
    dx = dx_hat - np.sum(dx_hat, axis=0) / N - x_hat * np.sum(dx_hat * x_hat, axis=0) / N
    dx /= np.sqrt(var_eps)
    return dx, dgamma, dbeta
