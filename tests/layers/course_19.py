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
        std = np.std(x, axis=0)
        xhat = (x - mean) / (std + eps)
        out = gamma * xhat + beta
        cache = (x, mean, std, xhat, gamma, eps)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * std**2
    elif mode == "test":
        xhat = (x - running_mean) / (np.sqrt(running_var) + eps)
        out = gamma * xhat + beta
    else:
        raise ValueError('Invalid mode "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    x, mean, std, xhat, gamma, eps = cache
    N = x.shape[0]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    dstd = -np.sum(dxhat * (x - mean), axis=0) / (std + eps) ** 2
    dxc = dxhat / (std + eps) + dstd * (x - mean) / (N * std)
    dx = dxc - np.sum(dxc, axis=0) / N
    return dx, dgamma, dbeta
