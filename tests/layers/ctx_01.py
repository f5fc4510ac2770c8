import numpy as np


class Context:
    def save_for_backward(self, *t):
        self.saved_tensors = t


class Function:
    @staticmethod
    def forward(ctx, *a):
        raise NotImplementedError

    @staticmethod
    def backward(ctx, g):
        raise NotImplementedError


class BatchNorm(Function):
    @staticmethod
    def forward(ctx, x, gamma, beta, eps=1e-5):
        mu, var = x.mean(0), x.var(0)
        inv = (var + eps) ** -0.5
        xh = (x - mu) * inv
        ctx.save_for_backward(xh, inv, gamma)
        return gamma * xh + beta

    @staticmethod
    def backward(ctx, grad):
        xh, inv, gamma = ctx.saved_tensors
        g = grad * gamma
        return inv * (g - g.mean(0) - xh * (g * xh).mean(0)), (grad * xh).sum(0), grad.sum(0)
