from numpy import mean, ndarray, sqrt, sum, var, zeros, ones

from nets.model.Layer import Layer


class BatchNorm(Layer):
    def __init__(self, input_dim: int, momentum: float = 0.9):
        self.mode = 'train'
        self.gamma = ones((input_dim, 1))
        self.beta = zeros((input_dim, 1))
        self.running_mean = zeros((input_dim, 1))
        self.running_var = zeros((input_dim, 1))
        self.momentum = momentum
        self.eps = 1e-5

    def forward(self, X: ndarray) -> ndarray:
        if self.mode == 'train':
            self.mu = mean(X, axis=1, keepdims=True)
            self.var = var(X, axis=1, keepdims=True, ddof=1)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mu
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
            self.Xc = X - self.mu
            self.X_norm = self.Xc / sqrt(self.var + self.eps)
            return self.gamma * self.X_norm + self.beta
        return self.gamma * (X - self.running_mean) / sqrt(self.running_var + self.eps) + self.beta

    def backward(self, dout: ndarray) -> ndarray:
        m = dout.shape[1]
        self.dgamma = sum(dout * self.X_norm, axis=1, keepdims=True)
        self.dbeta = sum(dout, axis=1, keepdims=True)
        g = dout * self.gamma
        inv = 1 / sqrt(self.var + self.eps)
        return inv * (g - sum(g, axis=1, keepdims=True) / m
                      - self.X_norm * sum(g * self.X_norm, axis=1, keepdims=True) / (m - 1))
