import numpy as np


class batchnorm1d:
    def __init__(self, num_features, alpha=0.9):
        self.alpha = alpha
        self.eps = 1e-8
        self.BW = np.ones((1, num_features))
        self.Bb = np.zeros((1, num_features))
        self.dLdBW = np.zeros((1, num_features))
        self.dLdBb = np.zeros((1, num_features))
        self.running_M = np.zeros((1, num_features))
        self.running_V = np.ones((1, num_features))
        self.num_feat = num_features

    def forward(self, Z: np.ndarray, eval: bool = False) -> np.ndarray:
        assert self.num_feat == Z.shape[1], "wrong number of features"
        if eval:
            self.NZ = (Z - self.running_M) / (self.running_V + self.eps)
            return self.NZ * self.BW + self.Bb
        self.Z = Z
        self.N = Z.shape[0]
        self.M = np.sum(Z, axis=0, keepdims=True) / self.N
        self.V = np.sum(np.square(Z - self.M), axis=0, keepdims=True) / self.N
        self.NZ = (Z - self.M) / (self.V + self.eps)
        self.running_M = self.alpha * self.running_M + (1 - self.alpha) * self.M
        self.running_V = self.alpha * self.running_V + (1 - self.alpha) * self.V
        return self.NZ * self.BW + self.Bb

    def backward(self, dLdBZ):
        self.dLdBW = np.sum(dLdBZ * self.NZ, axis=0, keepdims=True)
        self.dLdBb = np.sum(dLdBZ, axis=0, keepdims=True)
        iv = 1 / (self.V + self.eps)
        dLdNZ = dLdBZ * self.BW
        dLdV = -np.sum(dLdNZ * (self.Z - self.M), axis=0, keepdims=True) * iv**2
        dZc = dLdNZ * iv + dLdV * 2 * (self.Z - self.M) / self.N
        return dZc - dZc.mean(axis=0, keepdims=True)


bn1 = batchnorm1d(num_features=5)
arr = np.random.rand(2, 5)
bn1.forward(arr)
bn1.forward(arr, True)
