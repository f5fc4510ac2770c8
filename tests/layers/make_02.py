import numpy as np


def batchnorm(eps):
    kept = {}

    def forward(x, gamma, beta):
        std = np.sqrt(x.var(axis=0) + eps)
        kept["xhat"], kept["gamma"], kept["std"] = (x - x.mean(axis=0)) / std, gamma, std
        return gamma * kept["xhat"] + beta

    def backward(dout):
        d = dout * kept["gamma"]
        return (d - d.mean(axis=0)) / kept["std"], (dout * kept["xhat"]).sum(axis=0), dout.sum(axis=0)

    return {"forward": forward, "backward": backward}
