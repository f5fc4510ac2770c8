import numpy as np


def make_batchnorm(momentum=0.9, eps=1e-5):
    running_mean, running_var = 0.0, 1.0

    def forward(x, gamma, beta, mode="train"):
        nonlocal running_mean, running_var
        mu, var = (x.mean(axis=0), x.var(axis=0)) if mode == "train" else (running_mean, running_var)
        if mode == "train":
            running_mean = momentum * running_mean + (1 - momentum) * mu
            running_var = momentum * running_var + (1 - momentum) * var
        std = np.sqrt(var + eps)
        xhat = (x - mu) / std
        return gamma * xhat + beta, (xhat, gamma, std)

    def backward(dout, cache):
        xhat, gamma, std = cache
        d = dout * gamma
        dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
        return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)

    return forward, backward
