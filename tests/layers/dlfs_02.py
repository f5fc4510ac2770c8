import numpy as np


class BatchNormalization:
    def __init__(self, gamma, beta, rho=0.9, moving_mean=None, moving_var=None):
        self.gamma = gamma
        self.beta = beta
        self.rho = rho
        self.moving_mean = moving_mean
        self.moving_var = moving_var
        self.dgamma = None
        self.dbeta = None

    def forward(self, x, train_flg=True, epsilon=1e-5):
        if self.moving_mean is None:
            self.moving_mean = np.zeros(x.shape[1])
            self.moving_var = np.zeros(x.shape[1])

        if train_flg:
            mu = np.mean(x, axis=0)
            self.x_mu = x - mu
            var = np.mean(self.x_mu ** 2, axis=0)
            self.std = np.sqrt(var + epsilon)
            self.x_std = self.x_mu / self.std
            self.batch_size = len(x)
            self.moving_mean = self.rho * self.moving_mean + (1 - self.rho) * mu
            self.moving_var = self.rho * self.moving_var + (1 - self.rho) * var
            return self.gamma * self.x_std + self.beta

        x_std = (x - self.moving_mean) / (np.sqrt(self.moving_var) + epsilon)
        return self.gamma * x_std + self.beta

    def backward(self, dout):
        self.dbeta = np.sum(dout, axis=0)
        self.dgamma = np.sum(self.x_std * dout, axis=0)
        a1 = self.gamma * dout
        a2 = a1 / self.std
        a3 = np.sum(a1 * self.x_mu, axis=0) / -(self.std ** 2)
        a4 = a3 / (2 * self.std)
        a5 = a2 + 2 * self.x_mu * a4 / self.batch_size
        return a5 - np.sum(a5, axis=0) / self.batch_size
