from builtins import range
import numpy as np

try:
    from course.im2col_cython import col2im_cython, im2col_cython
except ImportError:
    print("the Cython extension is missing: python setup.py build_ext --inplace")
from course.im2col import *
from .layers import *


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param['mode']
    eps = bn_param.get('eps', 1e-5)
    momentum = bn_param.get('momentum', 0.9)
    N, D = x.shape
    running_mean = bn_param.get('running_mean', np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get('running_var', np.zeros(D, dtype=x.dtype))
    out, cache = None, None
    if mode == 'train':
        mean = np.mean(x, axis=0)
        var = np.var(x, axis=0)
        xn = (x - mean) / np.sqrt(var + eps)
        out = gamma * xn + beta
        cache = (x - mean, var + eps, xn, gamma)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == 'test':
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    else:
        raise ValueError(mode)
    bn_param['running_mean'] = running_mean
    bn_param['running_var'] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    xc, ve, xn, gamma = cache
    N = xc.shape[0]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xn, axis=0)
    d_xn = dout
    d_xc = d_xn / np.sqrt(ve)
    d_ve = np.sum(d_xn * xc, axis=0) * -0.5 * ve ** -1.5
    d_xc += 2.0 / N * xc * d_ve
    dx = d_xc - np.sum(d_xc, axis=0) / N
    return dx, dgamma, dbeta
