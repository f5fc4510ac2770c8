from abc import ABC, abstractmethod
from enum import Enum, auto
import numpy as np


class Mode(Enum):
    TRAIN = auto()
    EVAL = auto()


class Layer(ABC):
    @abstractmethod
    def forward(self, x, mode): ...
    @abstractmethod
    def backward(self, dy): ...


class BatchNorm(Layer):
    def __init__(self, n, rho=0.9, eps=1e-6):
        self.gamma = np.ones(n)
        self.beta = np.zeros(n)
        self.rm = np.zeros(n)
        self.rv = np.ones(n)
        self.rho, self.eps = rho, eps

    def forward(self, x, mode=Mode.TRAIN):
        if mode is Mode.TRAIN:
            m, v = x.mean(0), x.var(0)
            self.rm = self.rho * self.rm + (1 - self.rho) * m
            self.rv = self.rho * self.rv + (1 - self.rho) * v
        else:
            m, v = self.rm, self.rv
        self.s = np.sqrt(v + self.eps)
        self.h = (x - m) / self.s
        return self.gamma * self.h + self.beta

    def backward(self, dy):
        self.dgamma = (dy * self.h).sum(0)
        self.dbeta = dy.sum(0)
        g = dy * self.gamma
        return (g - g.mean(0) - self.h * (g * self.h).mean(0)) / self.s
