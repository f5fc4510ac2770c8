import numpy as np


def batchnorm_forward(a, gamma, beta):
    over = 1 if a.ndim == 2 else (0, 1, 2)
    centred = a - a.mean(axis=over)
    return gamma * centred / np.sqrt((centred**2).mean(axis=over) + 1e-3) + beta
