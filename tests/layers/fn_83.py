import numpy as np


def bn_forward(x, layer, is_train):
    if is_train:
        mu, var = x.mean(axis=0), x.var(axis=0)
        layer.running_mean = layer.momentum * layer.running_mean + (1 - layer.momentum) * mu
        layer.running_var = layer.momentum * layer.running_var + (1 - layer.momentum) * var
    else:
        mu, var = layer.running_mean, layer.running_var
    layer.std = np.sqrt(var + layer.eps)
    layer.xhat = (x - mu) / layer.std
    return layer.gamma * layer.xhat + layer.beta


def bn_backward(dout, layer):
    d = dout * layer.gamma
    layer.dgamma = (dout * layer.xhat).sum(axis=0)
    layer.dbeta = dout.sum(axis=0)
    return (d - d.mean(axis=0) - layer.xhat * (d * layer.xhat).mean(axis=0)) / layer.std
