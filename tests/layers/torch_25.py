import torch
from torch import nn


def batch_norm(x, gamma, beta, moving_mean, moving_var, eps, momentum):
    if not torch.is_grad_enabled():
        xhat = (x - moving_mean) / torch.sqrt(moving_var + eps)
    else:
        dims = (0,) if x.dim() == 2 else (0, 2, 3)
        mean = x.mean(dim=dims, keepdim=True)
        var = ((x - mean) ** 2).mean(dim=dims, keepdim=True)
        xhat = (x - mean) / torch.sqrt(var + eps)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_var = momentum * moving_var + (1 - momentum) * var
    return gamma * xhat + beta, moving_mean.data, moving_var.data


class BatchNorm(nn.Module):
    def __init__(self, n, num_dims):
        super().__init__()
        shape = (1, n) if num_dims == 2 else (1, n, 1, 1)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.moving_mean = nn.Parameter(torch.zeros(shape), requires_grad=True)
        self.moving_var = nn.Parameter(torch.ones(shape), requires_grad=True)

    def forward(self, x):
        y, m, v = batch_norm(x, self.gamma, self.beta, self.moving_mean, self.moving_var, 1e-5, 0.9)
        self.moving_mean.data, self.moving_var.data = m, v
        return y
