import numpy
from . import Optimizers


class BatchNorm:
    """
    learn() while training, classify() afterwards
    """
    def __init__(self) -> None:
        self.decay_rate = 0.9
        self.epsilon = 0.0001

        self.gamma = 1
        self.beta = 0

        self.test_mean = 0
        self.test_variance = 1

        self.optimizer = Optimizers.SGD()

    def learn(self, data):
        self.mean = numpy.mean(data, axis=0)
        self.variance = numpy.mean((data - self.mean) ** 2, axis=0)
        self.test_mean = self.decay_rate * self.test_mean + (1 - self.decay_rate) * self.mean
        self.test_variance = self.decay_rate * self.test_variance + (1 - self.decay_rate) * self.variance
        self.inv_std = 1 / numpy.sqrt(self.variance + self.epsilon)
        self.normalized = (data - self.mean) * self.inv_std
        return self.normalized * self.gamma + self.beta

    def classify(self, data):
        return (data - self.test_mean) / numpy.sqrt(self.test_variance + self.epsilon) * self.gamma + self.beta

    def backward(self, gradient):
        self.gradient_gamma = numpy.sum(gradient * self.normalized, axis=0)
        self.gradient_beta = numpy.sum(gradient, axis=0)
        g = gradient * self.gamma
        return self.inv_std * (g - numpy.mean(g, axis=0) - self.normalized * numpy.mean(g * self.normalized, axis=0))
