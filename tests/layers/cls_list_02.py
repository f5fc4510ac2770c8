class BatchNorm:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps = eps
        self.momentum = momentum
        self.training = True
        self.gamma = [1.0] * dim
        self.beta = [0.0] * dim
        self.running_mean = [0.0] * dim
        self.running_var = [1.0] * dim

    def forward(self, x):
        n = len(x)
        d = len(x[0])
        if self.training:
            mean = [sum(row[j] for row in x) / n for j in range(d)]
            var = [sum((row[j] - mean[j]) ** 2 for row in x) / n for j in range(d)]
            for j in range(d):
                self.running_mean[j] = (1 - self.momentum) * self.running_mean[j] + self.momentum * mean[j]
                self.running_var[j] = (1 - self.momentum) * self.running_var[j] + self.momentum * var[j]
        else:
            mean, var = self.running_mean, self.running_var
        self.std = [(v + self.eps) ** 0.5 for v in var]
        self.xhat = [[(row[j] - mean[j]) / self.std[j] for j in range(d)] for row in x]
        return [[self.gamma[j] * row[j] + self.beta[j] for j in range(d)] for row in self.xhat]

    def backward(self, dout):
        n = len(dout)
        d = len(dout[0])
        self.dbeta = [sum(row[j] for row in dout) for j in range(d)]
        self.dgamma = [sum(dout[i][j] * self.xhat[i][j] for i in range(n)) for j in range(d)]
        return [
            [
                self.gamma[j] / self.std[j] * (dout[i][j] - self.xhat[i][j] * self.dgamma[j] / n)
                for j in range(d)
            ]
            for i in range(n)
        ]
