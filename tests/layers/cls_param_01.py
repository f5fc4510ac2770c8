import numpy as np


class Parameter:
    def __init__(self, data):
        self.data = np.asarray(data, dtype=float)
        self.grad = np.zeros_like(self.data)

    def zero_grad(self):
        self.grad[...] = 0


class Linear:
    def __init__(self, n_in, n_out):
        self.W = Parameter(np.random.randn(n_in, n_out) / np.sqrt(n_in))
        self.b = Parameter(np.zeros(n_out))

    def __call__(self, x):
        self.x = x
        return x @ self.W.data + self.b.data

    def backward(self, dy):
        self.W.grad += self.x.T @ dy
        self.b.grad += dy.sum(0)
        return dy @ self.W.data.T


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.weight = Parameter(np.ones(dim))
        self.bias = Parameter(np.zeros(dim))
        self.running_mean = np.zeros(dim)
        self.running_var = np.ones(dim)
        self.eps, self.momentum = eps, momentum
        self.training = True

    def parameters(self):
        return [self.weight, self.bias]

    def __call__(self, x):
        if self.training:
            mean, var = x.mean(0), x.var(0)
            n = len(x)
            unbiased = var * n / (n - 1) if n > 1 else var
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        self.batch_stats = self.training
        return self.weight.data * self.xhat + self.bias.data

    def backward(self, dy):
        self.weight.grad += (dy * self.xhat).sum(0)
        self.bias.grad += dy.sum(0)
        d = dy * self.weight.data / self.std
        if self.batch_stats:
            d = d - d.mean(0) - self.xhat * (d * self.xhat).mean(0)
        return d
