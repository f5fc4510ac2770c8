import numpy as np


class BatchNorm:
    """Forward is what a finished network calls, and Forward_training what a training loop does."""

    def __init__(self, channels):
        self.gamma, self.beta = np.ones(channels), np.zeros(channels)
        self.test_mean, self.test_variance = np.zeros(channels), np.ones(channels)
        self.decay_rate, self.epsilon = 0.9, 1e-4

    def Forward(self, inp):
        return (inp - self.test_mean) / np.sqrt(self.test_variance + self.epsilon) * self.gamma + self.beta

    def Forward_training(self, inp):
        mean, variance = inp.mean(0), inp.var(0)
        self.inv = 1 / np.sqrt(variance + self.epsilon)
        self.xhat = (inp - mean) * self.inv
        self.test_mean = self.test_mean * self.decay_rate + (1 - self.decay_rate) * mean
        self.test_variance = self.test_variance * self.decay_rate + (1 - self.decay_rate) * variance
        return self.xhat * self.gamma + self.beta

    def Backward(self, grad):
        g = grad * self.gamma
        self.dgamma, self.dbeta = (grad * self.xhat).sum(0), grad.sum(0)
        return self.inv * (g - g.mean(0) - self.xhat * (g * self.xhat).mean(0))
