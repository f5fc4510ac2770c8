import numpy as np


class BatchNorm:
    """Old style class, Python 2.7"""

    def __init__(self, n, momentum=0.9, eps=1e-5):
        self.gamma = np.ones(n)
        self.beta = np.zeros(n)
        self.momentum = momentum
        self.eps = eps
        self.running_mean = np.zeros(n)
        self.running_var = np.zeros(n)
        self.verbose = False

    def forward(self, x, test=False):
        if test:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + self.eps) + self.beta
        n, d = x.shape
        mu = np.zeros(d)
        for i in xrange(n):
            mu += x[i] / float(n)
        self.xmu = x - mu
        var = (self.xmu ** 2).sum(axis=0) / float(n)
        if self.verbose:
            print "mean", mu, "var", var
        self.std = np.sqrt(var + self.eps)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mu
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        return self.gamma * self.xmu / self.std + self.beta

    def backward(self, dout):
        n = dout.shape[0]
        xhat = self.xmu / self.std
        dbeta = dout.sum(axis=0)
        dgamma = (dout * xhat).sum(axis=0)
        dx = self.gamma / self.std * (dout - dbeta / n - xhat * dgamma / n)
        return dx, dgamma, dbeta


if __name__ == '__main__':
    bn = BatchNorm(3)
    print bn.forward(np.random.randn(5, 3))
    try:
        bn.backward(None)
    except Exception, e:
        print 'no: %s' % e
