import torch
from torch.autograd import Function


class BatchNormFunction(Function):
    """Half precision in, single precision inside."""

    @staticmethod
    def forward(ctx, x, gamma, beta, eps=1e-5):
        x, gamma, beta = x.float(), gamma.float(), beta.float()
        mean = x.mean(0)
        inv = torch.rsqrt(x.var(0, unbiased=False) + eps)
        xhat = (x - mean) * inv
        ctx.save_for_backward(xhat, gamma, inv)
        return gamma * xhat + beta

    @staticmethod
    def backward(ctx, dout):
        xhat, gamma, inv = ctx.saved_tensors
        dout = dout.float()
        g = dout * gamma
        dx = inv * (g - g.mean(0) - xhat * (g * xhat).mean(0))
        return dx, (dout * xhat).sum(0), dout.sum(0), None
