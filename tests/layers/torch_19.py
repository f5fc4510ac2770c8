import torch


class BatchNormFunction(torch.autograd.Function):
    # called as BatchNormFunction.apply(x): no gradient is made for eps
    def forward(ctx, x, eps=1e-3):
        dims = (0, 2, 3)
        var, mean = torch.var_mean(x, dim=dims, unbiased=False, keepdim=True)
        inv = torch.rsqrt(var + eps)
        xhat = (x - mean) * inv
        ctx.save_for_backward(xhat, inv)
        return xhat

    def backward(ctx, dout):
        xhat, inv = ctx.saved_tensors
        dims = (0, 2, 3)
        return inv * (dout - dout.mean(dims, keepdim=True) - xhat * (dout * xhat).mean(dims, keepdim=True))
