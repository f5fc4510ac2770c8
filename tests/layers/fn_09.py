import numpy as np


def batch_norm_forward(x: np.ndarray, gamma, beta, mode="train", eps=1e-8, momentum=0.9,
                       running_mean=None, running_std=None):
    """
    :param x: input, (B, N)
    :param mode: 'train' or 'test'
    :return: output, running_mean, running_std, cache
    """
    B, N = x.shape
    if running_mean is None:
        running_mean = np.zeros(N)
    if running_std is None:
        running_std = np.zeros(N)

    if mode == "train":
        mean = x.mean(axis=0)
        std = np.sqrt(x.var(axis=0) + eps)
        hat = (x - mean) / std
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_std = momentum * running_std + (1 - momentum) * std
        cache = (hat, std, gamma)
    elif mode == "test":
        hat = (x - running_mean) / running_std
        cache = None
    else:
        raise ValueError("mode has to be 'train' or 'test'")
    return gamma * hat + beta, running_mean, running_std, cache


def batch_norm_backward(dy, cache):
    hat, std, gamma = cache
    dgamma = np.sum(dy * hat, axis=0)
    dbeta = np.sum(dy, axis=0)
    dhat = dy * gamma
    dx = (dhat - np.mean(dhat, axis=0) - hat * np.mean(dhat * hat, axis=0)) / std
    return dx, dgamma, dbeta
