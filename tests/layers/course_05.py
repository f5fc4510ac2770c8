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
        # *** your code here ***
        m = np.mean(x, axis=0)
        v = np.var(x, axis=0)
        z = (x - m) / (v + eps) ** 0.5
        out = gamma * z + beta
        cache = dict(x=x, m=m, v=v, z=z, gamma=gamma, beta=beta, eps=eps)
        running_mean = momentum * running_mean + (1 - momentum) * m
        running_var = momentum * running_var + (1 - momentum) * v
        # *** end ***
    elif mode == "test":
        # *** your code here ***
        scale = gamma / (running_var + eps) ** 0.5
        out = scale * x + (beta - scale * running_mean)
        # *** end ***
    else:
        raise ValueError('Invalid mode "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var

    return out, cache


def batchnorm_backward(dout, cache):
    dx, dgamma, dbeta = None, None, None
    # *** your code here ***
    x, m, v, z = cache["x"], cache["m"], cache["v"], cache["z"]
    eps, gamma = cache["eps"], cache["gamma"]
    N = x.shape[0]

    dz = dout * gamma
    dv = np.sum(dz * (x - m), axis=0) * -0.5 * (v + eps) ** -1.5
    dm = -np.sum(dz, axis=0) / np.sqrt(v + eps) + dv * np.sum(-2 * (x - m), axis=0) / N
    dx = dz / np.sqrt(v + eps) + dv * 2 * (x - m) / N + dm / N
    dgamma = np.sum(dout * z, axis=0)
    dbeta = np.sum(dout, axis=0)
    # *** end ***
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    """The short version, all on one line if possible."""
    dx, dgamma, dbeta = None, None, None
    # *** your code here ***
    pass
    # *** end ***
    return dx, dgamma, dbeta
