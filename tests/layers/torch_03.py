import torch


class CustomBatchNormManualFunction(torch.autograd.Function):

    @staticmethod
    def forward(ctx, input, gamma, beta, eps=1e-5):
        mu = input.mean(dim=0)
        var = input.var(dim=0, unbiased=False)
        inv_std = torch.rsqrt(var + eps)
        x_hat = (input - mu) * inv_std
        ctx.save_for_backward(x_hat, gamma, inv_std)
        ctx.eps = eps
        return gamma * x_hat + beta

    @staticmethod
    def backward(ctx, grad_output):
        x_hat, gamma, inv_std = ctx.saved_tensors
        grad_input = grad_gamma = grad_beta = None
        if ctx.needs_input_grad[1]:
            grad_gamma = (grad_output * x_hat).sum(dim=0)
        if ctx.needs_input_grad[2]:
            grad_beta = grad_output.sum(dim=0)
        if ctx.needs_input_grad[0]:
            g = grad_output * gamma
            grad_input = inv_std * (g - g.mean(dim=0) - x_hat * (g * x_hat).mean(dim=0))
        return grad_input, grad_gamma, grad_beta, None
