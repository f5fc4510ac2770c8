import torch
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, n, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(n))
        self.beta = nn.Parameter(torch.zeros(n))
        self.eps = eps

    def forward(self, x):
        return (
            self.gamma
            * (x - x.mean(-1, keepdim=True))
            / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + self.eps)
            + self.beta
        )


class InstanceNorm2d(nn.Module):
    def __init__(self, c, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(c))
        self.bias = nn.Parameter(torch.zeros(c))
        self.eps = eps

    def forward(self, x):
        m = x.mean((2, 3), keepdim=True)
        v = x.var((2, 3), keepdim=True, unbiased=False)
        return (
            self.weight[:, None, None] * (x - m) / torch.sqrt(v + self.eps)
            + self.bias[:, None, None]
        )


class GroupNorm(nn.Module):
    def __init__(self, channels, groups=1, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.groups = groups
        self.eps = eps

    def forward(self, x):
        n, c, h, w = x.shape
        g = x.reshape(n, self.groups, -1)
        g = (g - g.mean(-1, keepdim=True)) / torch.sqrt(
            g.var(-1, keepdim=True, unbiased=False) + self.eps
        )
        return g.reshape(x.shape) * self.weight[:, None, None] + self.bias[:, None, None]


class BatchNorm(nn.Module):
    def __init__(self, n, eps=1e-5, momentum=0.1):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(n))
        self.beta = nn.Parameter(torch.zeros(n))
        self.eps = eps
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(n))
        self.register_buffer("running_var", torch.ones(n))

    def forward(self, x):
        if self.training:
            m, v = x.mean(0), x.var(0, unbiased=False)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * m.detach()
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * v.detach()
        else:
            m, v = self.running_mean, self.running_var
        return self.gamma * (x - m) / torch.sqrt(v + self.eps) + self.beta


class EvoNormB0(nn.Module):
    def __init__(self, c, momentum=0.1, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, c, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.v = nn.Parameter(torch.ones(1, c, 1, 1))
        self.eps = eps
        self.register_buffer("running_var", torch.ones(1, c, 1, 1))
        self.momentum = momentum

    def forward(self, x):
        var = x.var((0, 2, 3), keepdim=True, unbiased=False) if self.training else self.running_var
        inst = x.var((2, 3), keepdim=True, unbiased=False)
        den = torch.maximum((var + self.eps).sqrt(), self.v * x + (inst + self.eps).sqrt())
        return x / den * self.gamma + self.beta
