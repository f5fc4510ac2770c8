class Value:
    """A number that remembers what it was made of."""

    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, parents

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    def __pow__(self, n):
        return Value(self.data**n, ((self, n * self.data ** (n - 1)),))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -other

    def __truediv__(self, n):
        return self * (1.0 / n)

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for parent, slope in node.parents:
                parent.grad += slope * node.grad


class BatchNorm:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.gamma = [Value(1.0) for _ in range(dim)]
        self.beta = [Value(0.0) for _ in range(dim)]
        self.running_mean, self.running_var = [0.0] * dim, [1.0] * dim
        self.eps, self.momentum, self.training = eps, momentum, True

    def __call__(self, rows):
        columns = [self.column(j, [row[j] for row in rows]) for j in range(len(rows[0]))]
        return [list(row) for row in zip(*columns)]

    def column(self, j, values):
        mean, var = self.running_mean[j], self.running_var[j]
        if self.training:
            mean = sum(values) / len(values)
            var = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
            self.running_mean[j] = (1 - self.momentum) * mean_before(self, j) + self.momentum * mean.data
            self.running_var[j] = (1 - self.momentum) * self.running_var[j] + self.momentum * var.data
        inv = (var + self.eps) ** -0.5
        return [self.gamma[j] * ((v - mean) * inv) + self.beta[j] for v in values]


def mean_before(layer, j):
    return layer.running_mean[j]
