import argparse

import numpy as np

parser = argparse.ArgumentParser(description="train a small net with batch normalization")
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--data", default="data/train.csv")
args = parser.parse_args()


def bn_forward(x, gamma, beta, running_mean, running_var, mode="train", eps=1e-5, momentum=0.9):
    if mode == "train":
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    inv = 1 / np.sqrt(var + eps)
    xhat = (x - mean) * inv
    cache = (xhat, inv, gamma) if mode == "train" else None
    return gamma * xhat + beta, cache, running_mean, running_var


def bn_backward(dout, cache):
    xhat, inv, gamma = cache
    m = dout.shape[0]
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dx = gamma * inv * (dout - dbeta / m - xhat * dgamma / m)
    return dx, dgamma, dbeta


table = np.loadtxt(args.data, delimiter=",")
for epoch in range(args.epochs):
    out, cache, *_ = bn_forward(table, 1.0, 0.0, 0.0, 1.0)
    print(epoch, out.mean())
