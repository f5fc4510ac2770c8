class BatchNorm:
    def __init__(self, dim, eps=1e-5, momentum=0.9):
        self.gamma = np.ones(dim)
        self.beta = np.zeros(dim)
        self.eps = eps
        self.momentum = momentum
        self.running_mean = np.zeros(dim)
        self.running_var = np.ones(dim)

    def forward(self, x, training=True):
        if training:
            self.mu = x.mean(axis=0)
            self.var = x.var(axis=0)
            self.xhat = (x - self.mu) / np.sqrt(self.var + self.eps)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * self.mu
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
            return self.gamma * self.xhat + self.beta
        xhat = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
        return self.gamma * xhat + self.beta

    def backward(self, grad):
        self.dgamma = np.sum(grad, axis=0)
        self.dbeta = np.sum(grad * self.xhat, axis=0)
        g = grad * self.gamma
        return (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)) / np.sqrt(self.var + self.eps)
