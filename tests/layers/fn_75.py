import numpy as np


def bn_forward(bottom, params, eps=1e-5):
    mu, var = bottom["data"].mean(axis=0), bottom["data"].var(axis=0)
    return {"data": params["gamma"] * (bottom["data"] - mu) / np.sqrt(var + eps) + params["beta"]}


def bn_backward(top, bottom, params, eps=1e-5):
    std = np.sqrt(bottom["data"].var(axis=0) + eps)
    xhat = (bottom["data"] - bottom["data"].mean(axis=0)) / std
    d = top["diff"] * params["gamma"]
    bottom["diff"] = (d - xhat * (d * xhat).mean(axis=0)) / std
    params["dgamma"], params["dbeta"] = (top["diff"] * xhat).sum(axis=0), top["diff"].sum(axis=0)
