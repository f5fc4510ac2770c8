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
        sample_mean = np.mean(x, axis=0)
        sample_var = np.sum((x - sample_mean) ** 2, axis=0) / (N - 1)
        x_ = (x - sample_mean) / np.sqrt(sample_var + eps)
        out = gamma * x_ + beta
        running_mean = momentum * running_mean + (1 - momentum) * sample_mean
        running_var = momentum * running_var + (1 - momentum) * sample_var
        cache = (x_, gamma, x - sample_mean, sample_var + eps)
    elif mode == "test":
        x_ = (x - running_mean) / np.sqrt(running_var + eps)
        out = gamma * x_ + beta
    else:
        raise ValueError('Invalid mode "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    x_, gamma, xm, ve = cache
    N, D = dout.shape
    dgamma = np.sum(x_ * dout, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx_ = dout * gamma
    dve = np.sum(dx_ * xm, axis=0) * -0.5 * ve**-1.5
    dxm = dx_ / np.sqrt(ve) + dve * 2 * xm / (N - 1)
    dx = dxm - np.mean(dxm, axis=0)
    return dx, dgamma, dbeta
