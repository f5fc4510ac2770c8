import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    running_mean = bn_param.get("running_mean")
    running_var = bn_param.get("running_var")

    if mode == "train":
        mu, var = x.mean(axis=0), x.var(axis=0)
        if running_mean is None:
            # nothing to average with yet
            running_mean, running_var = mu.copy(), var.copy()
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mu
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
        xhat = (x - mu) / np.sqrt(var + eps)
        return gamma * xhat + beta, (xhat, gamma / np.sqrt(var + eps))
    if mode == "test":
        return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta, None
    raise ValueError(mode)


def batchnorm_backward(dout, cache):
    xhat, scale = cache
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    return scale * (dout - (dbeta + xhat * dgamma) / dout.shape[0]), dgamma, dbeta
