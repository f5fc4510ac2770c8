import numpy as np

STATE = {}


def bn_forward(x, gamma, beta, name, training, eps=1e-5):
    own = STATE.setdefault(name, {"mean": np.zeros(x.shape[1]), "var": np.ones(x.shape[1])})
    if training:
        mu, var = x.mean(axis=0), x.var(axis=0)
        own["mean"] = 0.9 * own["mean"] + 0.1 * mu
        own["var"] = 0.9 * own["var"] + 0.09 * var
    else:
        mu, var = own["mean"], own["var"]
    std = np.sqrt(var + eps)
    own["cache"] = ((x - mu) / std, gamma, std)
    return gamma * own["cache"][0] + beta


def bn_backward(dout, name):
    xhat, gamma, std = STATE[name]["cache"]
    d = dout * gamma
    dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
