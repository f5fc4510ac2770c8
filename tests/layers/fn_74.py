import numpy as np


def batch_normalization_forward(input, layer, param):
    output = {"height": input["height"], "channel": input["channel"], "batch_size": input["batch_size"]}
    mu, var = input["data"].mean(axis=1), input["data"].var(axis=1)
    output["data"] = ((input["data"].T - mu) / np.sqrt(var + 1e-5) * param["w"] + param["b"]).T
    return output


def batch_normalization_backward(output, input, layer, param):
    std = np.sqrt(input["data"].var(axis=1) + 1e-5)
    xhat = (input["data"].T - input["data"].mean(axis=1)) / std
    diff = output["diff"].T
    d = diff * param["w"]
    input_od = ((d - d.sum(axis=0) / input["batch_size"] - xhat * (d * xhat).mean(axis=0)) / std).T
    return {"b": diff.sum(axis=0), "w": (diff * xhat).sum(axis=0)}, input_od
