import numpy as np


class MLP:
    def __init__(self, layer_dims, use_bn=True):
        self.params, self.grads, self.bn = {}, {}, {}
        for i in range(1, len(layer_dims)):
            self.params["W" + str(i)] = np.random.randn(layer_dims[i - 1], layer_dims[i]) * 0.01
            self.params["b" + str(i)] = np.zeros(layer_dims[i])
            self.params["gamma" + str(i)] = np.ones(layer_dims[i])
            self.params["beta" + str(i)] = np.zeros(layer_dims[i])
            self.bn["mean" + str(i)] = np.zeros(layer_dims[i])
            self.bn["var" + str(i)] = np.ones(layer_dims[i])

    def bn_forward(self, z, i, training=True, momentum=0.9, eps=1e-5):
        if training:
            mu, var = z.mean(0), z.var(0)
            self.bn["mean" + str(i)] = momentum * self.bn["mean" + str(i)] + (1 - momentum) * mu
            self.bn["var" + str(i)] = momentum * self.bn["var" + str(i)] + (1 - momentum) * var
        else:
            mu, var = self.bn["mean" + str(i)], self.bn["var" + str(i)]
        zn = (z - mu) / np.sqrt(var + eps)
        return self.params["gamma" + str(i)] * zn + self.params["beta" + str(i)], (zn, var, eps, i)

    def bn_backward(self, dout, cache):
        zn, var, eps, i = cache
        self.grads["dgamma" + str(i)] = (dout * zn).mean(0)
        self.grads["dbeta" + str(i)] = dout.sum(0)
        g = dout * self.params["gamma" + str(i)]
        return (g - g.mean(0) - zn * (g * zn).mean(0)) / np.sqrt(var + eps)
