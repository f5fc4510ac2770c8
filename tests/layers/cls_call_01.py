import numpy as np


class BatchNormalization():
    def __init__(self, epsilon=1e-3, momentum=0.99):
        self.epsilon = epsilon
        self.momentum = momentum
        self.built = False

    def build(self, input_shape):
        d = input_shape[-1]
        self.gamma = np.ones(d)
        self.beta = np.zeros(d)
        self.moving_mean = np.zeros(d)
        self.moving_variance = np.ones(d)
        self.built = True

    def __call__(self, inputs, training=False):
        if not self.built:
            self.build(inputs.shape)
        return self.call(inputs, training)

    def call(self, inputs, training):
        if training:
            mean, variance = inputs.mean(0), inputs.var(0)
            self.moving_mean = self.moving_mean * self.momentum + mean * (1 - self.momentum)
            self.moving_variance = self.moving_variance * self.momentum + variance * (1 - self.momentum)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        self.rsqrt = 1.0 / np.sqrt(variance + self.epsilon)
        self.normalized = (inputs - mean) * self.rsqrt
        self.was_training = training
        return self.normalized * self.gamma + self.beta

    def backprop(self, dout):
        self.d_gamma = np.sum(dout * self.normalized, axis=0)
        self.d_beta = np.sum(dout, axis=0)
        dx = dout * self.gamma * self.rsqrt
        if self.was_training:
            dx = dx - np.mean(dx, axis=0) - self.normalized * np.mean(dx * self.normalized, axis=0)
        return dx
