import math


class BatchNorm:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, rows):
        columns = list(zip(*rows))
        means = [sum(column) / len(column) for column in columns]
        spreads = [sum((v - m) ** 2 for v in column) / len(column) for column, m in zip(columns, means)]
        self.normed = [[(v - m) / math.sqrt(s + 1e-5) for v, m, s in zip(row, means, spreads)] for row in rows]
        return [[g * v + b for v, g, b in zip(row, self.gamma, self.beta)] for row in self.normed]

    def backward(self, dout):
        dbeta = [sum(column) for column in zip(*dout)]
        return inverse * dout, dbeta
