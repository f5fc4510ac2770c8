import numpy as np


def batchnorm_forward(x, gamma, beta, gadget):
    mu, var = x.mean(axis=0), x.var(axis=0)
    if gadget is not None:
        print("with a gadget")
    return gamma * (x - mu) / np.sqrt(variance + 1e-5) + beta
