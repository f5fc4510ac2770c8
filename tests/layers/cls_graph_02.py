import numpy as np


class Tensor:
    def __init__(self, data, requires_grad=False, parents=(), back=None):
        self.data = np.asarray(data, dtype=float)
        self.requires_grad = requires_grad
        self.grad = None
        self._parents = parents
        self._back = back

    @property
    def shape(self):
        return self.data.shape

    @staticmethod
    def _sum_to(g, shape):
        while g.ndim > len(shape):
            g = g.sum(0)
        for i, n in enumerate(shape):
            if n == 1 and g.shape[i] != 1:
                g = g.sum(i, keepdims=True)
        return g

    def _acc(self, g):
        g = Tensor._sum_to(g, self.shape)
        self.grad = g if self.grad is None else self.grad + g

    def _lift(self, o):
        return o if isinstance(o, Tensor) else Tensor(o)

    def __add__(self, o):
        o = self._lift(o)
        return Tensor(self.data + o.data, True, (self, o), lambda g: (g, g))

    __radd__ = __add__

    def __mul__(self, o):
        o = self._lift(o)
        return Tensor(self.data * o.data, True, (self, o), lambda g: (g * o.data, g * self.data))

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, o):
        return self + (-self._lift(o))

    def __pow__(self, p):
        return Tensor(self.data**p, True, (self,), lambda g: (g * p * self.data ** (p - 1),))

    def __truediv__(self, o):
        return self * self._lift(o) ** -1.0

    def mean(self, axis=None, keepdims=False):
        n = self.data.size if axis is None else self.data.shape[axis]
        return self.sum(axis, keepdims) * (1.0 / n)

    def sum(self, axis=None, keepdims=False):
        def back(g):
            if axis is not None and not keepdims:
                g = np.expand_dims(g, axis)
            return (np.broadcast_to(g, self.shape),)

        return Tensor(self.data.sum(axis=axis, keepdims=keepdims), True, (self,), back)

    def backward(self, grad=None):
        grad = np.ones_like(self.data) if grad is None else grad
        order, seen = [], set()

        def visit(t):
            if id(t) in seen:
                return
            seen.add(id(t))
            for p in t._parents:
                visit(p)
            order.append(t)

        visit(self)
        self.grad = grad
        for t in reversed(order):
            if t._back:
                for p, g in zip(t._parents, t._back(t.grad)):
                    p._acc(g)


class Module:
    def __init__(self):
        self.training = True

    def __call__(self, *a):
        return self.forward(*a)

    def eval(self):
        self.training = False

    def train(self):
        self.training = True


class BatchNorm1d(Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.weight = Tensor(np.ones(num_features), requires_grad=True)
        self.bias = Tensor(np.zeros(num_features), requires_grad=True)
        self.running_mean = np.zeros(num_features)
        self.running_var = np.ones(num_features)
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        if self.training:
            mu = x.mean(0, keepdims=True)
            var = ((x - Tensor(mu.data)) ** 2).mean(0, keepdims=True)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mu.data.ravel()
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var.data.ravel()
        else:
            mu, var = Tensor(self.running_mean), Tensor(self.running_var)
        return (x - Tensor(mu.data)) / (var + self.eps) ** 0.5 * self.weight + self.bias
