import numpy as np


def bn_forward(layer):
    x = layer["x"]
    layer["std"] = np.sqrt(x.var(axis=0) + layer["eps"])
    layer["xhat"] = (x - x.mean(axis=0)) / layer["std"]
    layer["out"] = layer["gamma"] * layer["xhat"] + layer["beta"]
    return layer


def bn_backward(layer):
    dout, xhat = layer["dout"], layer["xhat"]
    d = dout * layer["gamma"]
    layer["dx"] = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / layer["std"]
    layer["dgamma"] = (dout * xhat).sum(axis=0)
    layer["dbeta"] = dout.sum(axis=0)
    return layer
