import numpy as np


def bn_forward(x, params, name="bn1", eps=1e-5):
    g, b = params[name]["gamma"], params[name]["beta"]
    mu, var = x.mean(0), x.var(0)
    xhat = (x - mu) / np.sqrt(var + eps)
    return g * xhat + b, {"xhat": xhat, "inv": 1 / np.sqrt(var + eps), "g": g}


def bn_backward(dout, cache, grads, name="bn1"):
    xhat, inv, g = cache["xhat"], cache["inv"], cache["g"]
    grads[name] = {"gamma": (dout * xhat).sum(0), "beta": dout.sum(0)}
    dxh = dout * g
    return inv * (dxh - dxh.mean(0) - xhat * (dxh * xhat).mean(0))
