import numpy as np


def batchnorm_forward(Z, gamma, beta, eps, averages, share, mode):
    if mode == "train":
        mu, var = Z.mean(axis=0), Z.var(axis=0)
        averages["mu"] = share * averages["mu"] + (1 - share) * mu
        averages["var"] = share * averages["var"] + (1 - share) * var
    elif mode == "test":
        mu, var = averages["mu"], averages["var"]
    Z_norm = (Z.T - mu) / np.sqrt(var + eps)
    return gamma * Z_norm.T + beta
