import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np


class BatchNorm:
    def __init__(self, n_units, eps=1e-5, alpha=0.9):
        self.gamma = np.ones(n_units)
        self.beta = np.zeros(n_units)
        self.eps = eps
        self.alpha = alpha
        self.running_mean = np.zeros(n_units)
        self.running_var = np.ones(n_units)

    def forward(self, a, is_train=True):
        if is_train:
            m, v = a.mean(axis=0), a.var(axis=0)
            self.running_mean = self.alpha * self.running_mean + (1 - self.alpha) * m
            self.running_var = self.alpha * self.running_var + (1 - self.alpha) * v
            self.s = np.sqrt(v + self.eps)
            self.n = (a - m) / self.s
            return self.n * self.gamma + self.beta
        return (a - self.running_mean) / np.sqrt(self.running_var + self.eps) * self.gamma + self.beta

    def backward(self, da):
        self.dgamma, self.dbeta = (da * self.n).sum(axis=0), da.sum(axis=0)
        g = da * self.gamma
        return (g - g.mean(axis=0) - self.n * (g * self.n).mean(axis=0)) / self.s


bn = BatchNorm(2)
losses = []
data = np.random.RandomState(1).randn(64, 2) * [3, 0.1] + [5, -2]
for step in range(200):
    out = bn.forward(data)
    diff = out - 0.5
    losses.append((diff ** 2).mean())
    bn.backward(2 * diff / diff.size)
    bn.gamma -= 0.1 * bn.dgamma
    bn.beta -= 0.1 * bn.dbeta
    if step % 50 == 0:
        print("step %d loss %.4f" % (step, losses[-1]))

fig, ax = plt.subplots()
ax.plot(losses)
ax.set_xlabel("step")
plt.savefig(io.BytesIO())
plt.show()
