import numpy as np


class Layer:
    def __init__(self):
        self._trainable = []

    def parameters(self):
        return self._trainable


class BatchNorm(Layer):
    def __init__(self, input_size, eps=1e-5, momentum=0.9):
        super().__init__()
        self.__gamma = np.ones((1, input_size))
        self.__beta = np.zeros((1, input_size))
        self.__mean = np.zeros((1, input_size))
        self.__variance = np.ones((1, input_size))
        self.__eps = eps
        self.__momentum = momentum
        self.__is_training = True

    def set_training(self, value):
        self.__is_training = value

    def get_weights(self):
        return [self.__gamma, self.__beta]

    def set_weights(self, w):
        self.__gamma, self.__beta = w

    def forward(self, x):
        if self.__is_training:
            mu = x.mean(axis=0, keepdims=True)
            var = x.var(axis=0, keepdims=True)
            self.__mean = self.__momentum * self.__mean + (1 - self.__momentum) * mu
            self.__variance = self.__momentum * self.__variance + (1 - self.__momentum) * var
        else:
            mu, var = x.mean(axis=0), x.var(axis=0)
        self.__std = np.sqrt(var + self.__eps)
        self.__xhat = (x - mu) / self.__std
        return self.__gamma * self.__xhat + self.__beta

    def backward(self, grad):
        self.__dgamma = (grad * self.__xhat).sum(axis=0, keepdims=True)
        self.__dbeta = grad.sum(axis=0, keepdims=True)
        n = grad.shape[0]
        return self.__gamma / self.__std / n * (n * grad - self.__dbeta - self.__xhat * self.__dgamma)

    def get_gradients(self):
        return [self.__dgamma, self.__dbeta]
