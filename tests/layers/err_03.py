import numpy as np


class BatchNorm1d:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = np.ones(num_features)
        self.bias = np.zeros(num_features)
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)
        self.training = True

    def forward(self, x):
        if not self.training:
            return self.weight * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.bias
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
        return self.weight * (x - mean) / np.sqrt(var + self.eps) + self.bias

    def backward(self, grad_output):
        raise NotImplementedError("BatchNorm1d.backward")
