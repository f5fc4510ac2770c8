import numpy as np


def batchnorm(x, gamma, beta, running_mean, running_var, momentum=0.9, eps=1e-5, mode="train"):
    batch_mean, batch_var = x.mean(axis=0), x.var(axis=0)
    if mode == "train":
        running_mean = momentum * running_mean + (1 - momentum) * batch_mean
        running_var = momentum * running_var + (1 - momentum) * batch_var
    else:
        batch_mean, batch_var = running_mean, running_var
    xhat = (x - batch_mean) / np.sqrt(batch_var + eps)
    kept = dict(x=x, xhat=xhat, batch_mean=batch_mean, batch_var=batch_var, gamma=gamma, eps=eps)
    return gamma * xhat + beta, kept, dict(running_mean=running_mean, running_var=running_var)


def batchnorm_backward(dout, x, xhat, mean, var, gamma, eps):
    dxhat, inv = dout * gamma, (var + eps) ** -0.5
    dvar = -0.5 * (dxhat * (x - mean)).sum(axis=0) * inv**3
    dx = dxhat * inv + 2 * dvar * (x - mean) / len(x) - (dxhat * inv).mean(axis=0)
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
