import numpy as np

train = np.load("mnist_small.npz")
X_train, y_train = train["X"], train["y"]
print("loaded", X_train.shape)


class BatchNorm:
    def __init__(self, input_dim, momentum=0.9, eps=1e-5):
        self.gamma = np.ones(input_dim)
        self.beta = np.zeros(input_dim)
        self.momentum, self.eps = momentum, eps
        self.running_mean = np.zeros(input_dim)
        self.running_var = np.ones(input_dim)

    def forward(self, x, training=True):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            self.std = np.sqrt(var + self.eps)
            self.x_norm = (x - mean) / self.std
            return self.gamma * self.x_norm + self.beta
        return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta

    def backward(self, dout):
        m = dout.shape[0]
        # averaged, so that the learning rate does not depend on the batch size
        self.dgamma = (dout * self.x_norm).mean(axis=0)
        self.dbeta = dout.sum(axis=0)
        dx_norm = dout * self.gamma
        return (dx_norm - dx_norm.sum(axis=0) / m - self.x_norm * (dx_norm * self.x_norm).sum(axis=0) / m) / self.std


bn = BatchNorm(X_train.shape[1])
print(bn.forward(X_train).std(axis=0))
