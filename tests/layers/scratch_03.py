import copy
import numpy as np
from neuralnet.base import Layer
from neuralnet.optimizers import SGD


class BatchNormalizationLayer(Layer):
    def __init__(self, epsilon=1e-5, momentum=0.9):
        super().__init__()
        self.epsilon = epsilon
        self.momentum = momentum
        self.gamma = None
        self.beta = None
        self.running_mean = None
        self.running_var = None

    def initialize(self, optimizer):
        self.gamma = np.ones(self._input_shape)
        self.beta = np.zeros(self._input_shape)
        self.running_mean = np.zeros(self._input_shape)
        self.running_var = np.ones(self._input_shape)
        self.gamma_opt = copy.deepcopy(optimizer)
        self.beta_opt = copy.deepcopy(optimizer)
        return self

    def set_input_shape(self, shape):
        self._input_shape = shape

    def forward_propagation(self, inputs, training=True):
        if not training:
            scale = self.gamma / np.sqrt(self.running_var + self.epsilon)
            return scale * (inputs - self.running_mean) + self.beta
        m, v = inputs.mean(axis=0), inputs.var(axis=0)
        keep = self.momentum
        self.running_mean = keep * self.running_mean + (1 - keep) * m
        self.running_var = keep * self.running_var + (1 - keep) * v
        self.inv = 1 / np.sqrt(v + self.epsilon)
        self.norm = (inputs - m) * self.inv
        return self.gamma * self.norm + self.beta

    def backward_propagation(self, output_error):
        dgamma = np.sum(output_error * self.norm, axis=0)
        dbeta = np.sum(output_error, axis=0)

        # step
        self.gamma = self.gamma_opt.update(self.gamma, dgamma)
        self.beta = self.beta_opt.update(self.beta, dbeta)

        e = output_error * self.gamma
        return self.inv * (e - e.mean(axis=0) - self.norm * np.mean(e * self.norm, axis=0))
