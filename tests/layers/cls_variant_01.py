import numpy as np


class GhostBatchNorm:
    """Batch normalization of each part of the batch by itself."""

    def __init__(self, d, part=8, eps=1e-5):
        self.gamma, self.beta, self.part, self.eps = np.ones(d), np.zeros(d), part, eps

    def forward(self, x):
        parts = [x[i : i + self.part] for i in range(0, len(x), self.part)]
        out = [(p - p.mean(axis=0)) / np.sqrt(p.var(axis=0) + self.eps) for p in parts]
        return self.gamma * np.concatenate(out) + self.beta
