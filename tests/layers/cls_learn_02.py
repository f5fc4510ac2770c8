import numpy as np


class BatchNormLayer:
    def __init__(self, size, decay=0.9, epsilon=1e-5):
        self.size = size
        self.decay = decay
        self.epsilon = epsilon
        self.gamma = np.ones(size)
        self.beta = np.zeros(size)
        self.avg_mean = np.zeros(size)
        self.avg_var = np.ones(size)

    def learn(self, inputs):
        self.batch_mean = inputs.mean(axis=0)
        self.batch_var = inputs.var(axis=0)
        self.xhat = (inputs - self.batch_mean) / np.sqrt(self.batch_var + self.epsilon)
        avg_mean = self.decay * self.avg_mean + (1 - self.decay) * self.batch_mean
        avg_var = self.decay * self.avg_var + (1 - self.decay) * self.batch_var
        return self.gamma * self.xhat + self.beta

    def classify(self, inputs):
        return self.gamma * (inputs - self.avg_mean) / np.sqrt(self.avg_var + self.epsilon) + self.beta

    def backward(self, error):
        self.dgamma = (error * self.xhat).sum(axis=0)
        self.dbeta = error.sum(axis=0)
        n = len(error)
        return self.gamma / np.sqrt(self.batch_var + self.epsilon) * (
            error - self.dbeta / n - self.xhat * self.dgamma / n)
