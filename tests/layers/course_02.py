import numpy as np

# every node keeps its own little backward, the cache is just the list of them


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)

    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))

    cache = {}
    if mode == "train":
        mean = np.mean(x, axis=0)
        centered = x - mean
        var = np.var(x, axis=0)
        inv = 1.0 / np.sqrt(var + eps)
        normed = centered * inv
        out = gamma * normed + beta

        cache["scale"] = lambda d: (d * gamma, np.sum(d * normed, axis=0))
        cache["shift"] = lambda d: (d, np.sum(d, axis=0))
        cache["div"] = lambda d: (d * inv, np.sum(d * centered, axis=0))
        cache["inv"] = lambda d: -0.5 * d * inv**3
        cache["var"] = lambda d: d * 2.0 * centered / N
        cache["center"] = lambda d: d - np.sum(d, axis=0) / N

        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        normed = (x - running_mean) / np.sqrt(running_var + eps)
        out = gamma * normed + beta
    else:
        raise ValueError('bad mode: "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    d, dbeta = cache["shift"](dout)
    dnormed, dgamma = cache["scale"](d)
    dcentered, dinv = cache["div"](dnormed)
    dcentered = dcentered + cache["var"](cache["inv"](dinv))
    dx = cache["center"](dcentered)
    return dx, dgamma, dbeta
