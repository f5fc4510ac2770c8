import numpy as np


def affine_forward(x, w, b):
    out = None
    out = x.reshape(len(x), -1).dot(w) + b
    cache = (x, w, b)
    return out, cache


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)

    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))

    out, cache = None, None
    if mode == "train":
        # TODO training time
        pass
    elif mode == "test":
        # TODO test time
        pass
    else:
        raise ValueError('Invalid mode "%s"' % mode)

    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    dx, dgamma, dbeta = None, None, None
    # TODO
    return dx, dgamma, dbeta
