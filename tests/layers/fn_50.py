import numpy as np


def init_bn(d):
    return {"gamma": np.ones(d), "beta": np.zeros(d)}, {"mean": np.zeros(d), "var": np.ones(d)}


def bn_forward(params, state, x, train=True, momentum=0.9, eps=1e-5):
    if train:
        mu, var = x.mean(0), x.var(0)
        new_state = {
            "mean": momentum * state["mean"] + (1 - momentum) * mu,
            "var": momentum * state["var"] + (1 - momentum) * var,
        }
    else:
        mu, var = state["mean"], state["var"]
        new_state = state
    xhat = (x - mu) / np.sqrt(var + eps)
    y = params["gamma"] * xhat + params["beta"]
    return y, new_state, {"xhat": xhat, "inv": 1 / np.sqrt(var + eps)}


def bn_backward(params, cache, dy):
    xhat, inv = cache["xhat"], cache["inv"]
    dgamma = (dy * xhat).sum(0)
    dbeta = dy.sum(0)
    dxh = dy * params["gamma"]
    dx = inv * (dxh - dxh.mean(0) - xhat * (dxh * xhat).mean(0))
    return dx, {"gamma": dgamma, "beta": dbeta}
