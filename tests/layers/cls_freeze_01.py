import numpy as np
from .base import LayerBase
from ..initializers import OptimizerInitializer


class BatchNorm1D(LayerBase):
    def __init__(self, momentum=0.9, epsilon=1e-5, optimizer=None):
        super().__init__(optimizer)
        self.in_dim = None
        self.out_dim = None
        self.epsilon = epsilon
        self.momentum = momentum
        self.trainable = True
        self.X = []
        self.is_initialized = False

    def _init_params(self):
        self.parameters = {
            "scaler": np.random.rand(self.in_dim),
            "intercept": np.zeros(self.in_dim),
            "running_mean": np.zeros(self.in_dim),
            "running_var": np.ones(self.in_dim),
        }
        self.gradients = {
            "scaler": np.zeros(self.in_dim),
            "intercept": np.zeros(self.in_dim),
        }
        self.is_initialized = True

    def freeze(self):
        self.trainable = False

    def unfreeze(self):
        self.trainable = True

    def flush_gradients(self):
        self.X = []
        for k in self.gradients:
            self.gradients[k] = np.zeros_like(self.gradients[k])

    def forward(self, X, retain_derived=True):
        if not self.is_initialized:
            self.in_dim = self.out_dim = X.shape[1]
            self._init_params()

        scaler, intercept = self.parameters["scaler"], self.parameters["intercept"]
        mean, var = self.parameters["running_mean"], self.parameters["running_var"]
        if self.trainable and retain_derived:
            mean, var = X.mean(axis=0), X.var(axis=0)
            for k, v in (("running_mean", mean), ("running_var", var)):
                self.parameters[k] = self.momentum * self.parameters[k] + (1.0 - self.momentum) * v

        if retain_derived:
            self.X.append(X)
        return scaler * (X - mean) / np.sqrt(var + self.epsilon) + intercept

    def backward(self, dLdy, retain_grads=True):
        assert self.trainable, "Layer is frozen"
        X = self.X[-1]
        n = X.shape[0]
        scaler = self.parameters["scaler"]
        std = np.sqrt(X.var(axis=0) + self.epsilon)
        N = (X - X.mean(axis=0)) / std

        dScaler = np.sum(dLdy * N, axis=0)
        dIntercept = np.sum(dLdy, axis=0)
        dN = dLdy * scaler
        dX = (n * dN - dN.sum(axis=0) - N * (dN * N).sum(axis=0)) / (n * std)

        if retain_grads:
            self.gradients["scaler"] += dScaler
            self.gradients["intercept"] += dIntercept
        return dX
