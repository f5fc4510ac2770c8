import torch


class BatchNorm1dFunction(torch.autograd.Function):
    EPS = 1e-5

    @staticmethod
    def forward(ctx, x, gamma, beta):
        mu = x.mean(0)
        xmu = x - mu
        var = (xmu * xmu).mean(0)
        std = torch.sqrt(var + BatchNorm1dFunction.EPS)
        xhat = xmu / std
        ctx.save_for_backward(xhat, std, gamma)
        return xhat * gamma + beta

    @staticmethod
    def backward(ctx, grad):
        xhat, std, gamma = ctx.saved_tensors
        dbeta = grad.sum(0)
        dgamma = (grad * xhat).sum(0)
        dx = gamma / std * (grad - dbeta / len(grad) - xhat * dgamma / len(grad))
        return dx, dbeta, dgamma
