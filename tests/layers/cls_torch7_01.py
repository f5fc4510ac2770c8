import numpy as np


class Module(object):
    def __init__(self):
        self.output = None
        self.gradInput = None
        self.training = True

    def forward(self, input):
        return self.updateOutput(input)

    def backward(self, input, gradOutput):
        self.updateGradInput(input, gradOutput)
        self.accGradParameters(input, gradOutput)
        return self.gradInput

    def train(self):
        self.training = True

    def evaluate(self):
        self.training = False


class BatchNormalization(Module):
    EPS = 1e-3

    def __init__(self, n_out, alpha=0.9):
        super(BatchNormalization, self).__init__()
        self.alpha = alpha
        self.gamma = np.ones(n_out)
        self.beta = np.zeros(n_out)
        self.gradGamma = np.zeros_like(self.gamma)
        self.gradBeta = np.zeros_like(self.beta)
        self.moving_mean = np.zeros(n_out)
        self.moving_variance = np.ones(n_out)

    def _stats(self, input):
        if self.training:
            return input.mean(axis=0), input.var(axis=0)
        return self.moving_mean, self.moving_variance

    def updateOutput(self, input):
        mean, var = self._stats(input)
        if self.training:
            self.moving_mean = self.alpha * self.moving_mean + (1 - self.alpha) * mean
            self.moving_variance = self.alpha * self.moving_variance + (1 - self.alpha) * var
        self.output = self.gamma * (input - mean) / np.sqrt(var + self.EPS) + self.beta
        return self.output

    def updateGradInput(self, input, gradOutput):
        mean, var = self._stats(input)
        std = np.sqrt(var + self.EPS)
        g = gradOutput * self.gamma / std
        if self.training:
            xhat = (input - mean) / std
            g = g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)
        self.gradInput = g
        return self.gradInput

    def accGradParameters(self, input, gradOutput):
        mean, var = self._stats(input)
        self.gradGamma += np.sum(gradOutput * (input - mean) / np.sqrt(var + self.EPS), axis=0)
        self.gradBeta += np.sum(gradOutput, axis=0)

    def zeroGradParameters(self):
        self.gradGamma.fill(0)
        self.gradBeta.fill(0)

    def getParameters(self):
        return [self.gamma, self.beta]

    def getGradParameters(self):
        return [self.gradGamma, self.gradBeta]
