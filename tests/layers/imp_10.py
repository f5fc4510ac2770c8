import cupy as np
from tqdm import tqdm


class BatchNorm:
    def __init__(self, n, eps=1e-6, momentum=0.9):
        self.W = np.ones(n)
        self.b = np.zeros(n)
        self.eps, self.momentum = eps, momentum
        self.running_mean, self.running_var = np.zeros(n), np.ones(n)

    def forward(self, x, training=True):
        if training:
            self.mean, self.var = np.mean(x, axis=0), np.var(x, axis=0)
            self.x = x
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * (self.var + self.eps)
            return self.W * (x - self.mean) / np.sqrt(self.var + self.eps) + self.b
        return self.W * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.b

    def backward(self, dy):
        inv = 1 / np.sqrt(self.var + self.eps)
        xhat = (self.x - self.mean) * inv
        self.dW = np.sum(dy * xhat, axis=0)
        self.db = np.sum(dy, axis=0)
        g = dy * self.W
        return inv * (g - np.mean(g, axis=0) - xhat * np.mean(g * xhat, axis=0))


def train(net, batches):
    for x in tqdm(batches):
        net.forward(x)
