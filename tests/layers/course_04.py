from builtins import range
import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param['mode']
    eps = bn_param.get('eps', 1e-5)
    momentum = bn_param.get('momentum', 0.9)

    N, D = x.shape
    running_mean = bn_param.get('running_mean', np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get('running_var', np.zeros(D, dtype=x.dtype))

    if mode == 'train':
        # nodes of the graph, in order
        a_mean = np.sum(x, axis=0) / N
        b_centered = x - a_mean
        c_square = b_centered * b_centered
        d_var = np.sum(c_square, axis=0) / N
        e_root = np.sqrt(d_var + eps)
        f_inverse = 1. / e_root
        g_normed = b_centered * f_inverse
        h_scaled = gamma * g_normed
        out = h_scaled + beta

        cache = (b_centered, e_root, f_inverse, g_normed, gamma)
        running_mean = momentum * running_mean + (1 - momentum) * a_mean
        running_var = momentum * running_var + (1 - momentum) * d_var
    elif mode == 'test':
        cache = None
        out = gamma * ((x - running_mean) / np.sqrt(running_var + eps)) + beta
    else:
        raise ValueError('mode must be train or test, not %s' % mode)

    bn_param['running_mean'] = running_mean
    bn_param['running_var'] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    b_centered, e_root, f_inverse, g_normed, gamma = cache
    N, D = dout.shape

    # the same nodes from the end to the beginning
    dbeta = np.sum(dout, axis=0)
    dh = dout
    dgamma = np.sum(dh * g_normed, axis=0)
    dg = dh * gamma
    df = np.sum(dg * b_centered, axis=0)
    db_1 = dg * f_inverse
    de = -df * f_inverse ** 2
    dd = de / (2 * e_root)
    dc = np.tile(dd / N, (N, 1))
    db_2 = 2 * b_centered * dc
    da = -np.sum(db_2, axis=0)
    dx = db_1 + db_2 + np.tile(da / N, (N, 1))
    return dx, dgamma, dbeta
