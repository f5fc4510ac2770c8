import numpy as np


class DeepNet:
    """Everything in lists with one entry a hidden layer; both passes are told which."""

    def __init__(self, layer_sizes):
        hidden = layer_sizes[1:-1]
        self.gamma = [np.ones((1, width)) for width in hidden]
        self.beta = [np.zeros((1, width)) for width in hidden]
        self.running_mean = [np.zeros((1, width)) for width in hidden]
        self.running_var = [np.ones((1, width)) for width in hidden]
        self.dgamma = [None] * len(hidden)
        self.dbeta = [None] * len(hidden)
        self.memory = [None] * len(hidden)

    def batchnorm_forward(self, z, layer_idx, training=True):
        if training:
            mean, var = z.mean(axis=0, keepdims=True), z.var(axis=0, keepdims=True)
            self.running_mean[layer_idx] = 0.9 * self.running_mean[layer_idx] + 0.1 * mean
            self.running_var[layer_idx] = 0.9 * self.running_var[layer_idx] + 0.1 * var
        else:
            mean, var = self.running_mean[layer_idx], self.running_var[layer_idx]
        inv = 1.0 / np.sqrt(var + 1e-5)
        zhat = (z - mean) * inv
        self.memory[layer_idx] = zhat, inv
        return self.gamma[layer_idx] * zhat + self.beta[layer_idx]

    def batchnorm_backward(self, dz, layer_idx):
        zhat, inv = self.memory[layer_idx]
        self.dgamma[layer_idx] = np.sum(dz * zhat, axis=0, keepdims=True)
        self.dbeta[layer_idx] = np.sum(dz, axis=0, keepdims=True)
        inner = dz * self.gamma[layer_idx]
        return inv * (inner - inner.mean(axis=0) - zhat * (inner * zhat).mean(axis=0))
