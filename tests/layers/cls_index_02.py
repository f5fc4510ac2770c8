import numpy as np


class Perceptron:
    """Normalizes its hidden layers, where it is asked to."""

    def __init__(self, layer_sizes, rate=0.01, use_batch_norm=False):
        self.rate = rate
        self.weights, self.gamma, self.beta, self.running_mean, self.running_var = [], [], [], [], []
        for before, after in zip(layer_sizes[:-1], layer_sizes[1:]):
            self.weights.append(np.zeros((before, after)))
            if use_batch_norm:
                self.gamma.append(np.ones((1, after)))
                self.beta.append(np.zeros((1, after)))
                self.running_mean.append(np.zeros((1, after)))
                self.running_var.append(np.ones((1, after)))

    def batch_norm_forward(self, z, layer_idx, training=True):
        if not training:
            inv = 1 / np.sqrt(self.running_var[layer_idx] + 1e-8)
            return self.gamma[layer_idx] * (z - self.running_mean[layer_idx]) * inv + self.beta[layer_idx], {}
        mean, var = z.mean(axis=0, keepdims=True), z.var(axis=0, keepdims=True)
        self.running_mean[layer_idx] = 0.9 * self.running_mean[layer_idx] + 0.1 * mean
        self.running_var[layer_idx] = 0.9 * self.running_var[layer_idx] + 0.1 * var
        inv = 1 / np.sqrt(var + 1e-8)
        zhat = (z - mean) * inv
        return self.gamma[layer_idx] * zhat + self.beta[layer_idx], {"zhat": zhat, "inv": inv, "index": layer_idx}

    def batch_norm_backward(self, dout, cache):
        zhat, inv, index = cache["zhat"], cache["inv"], cache["index"]
        inner = dout * self.gamma[index]
        self.gamma[index] -= self.rate * np.sum(dout * zhat, axis=0, keepdims=True)
        self.beta[index] -= self.rate * np.sum(dout, axis=0, keepdims=True)
        return inv * (inner - inner.mean(axis=0) - zhat * (inner * zhat).mean(axis=0))
