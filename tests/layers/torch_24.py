import torch
from torch import nn


class ConditionalBN(nn.Module):
    """Batch norm whose scale and shift a code may move."""

    def __init__(self, channels, code_size: int, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.to_scale = nn.Linear(code_size, channels)
        self.to_shift = nn.Linear(code_size, channels)
        self.register_buffer("avg_mean", torch.zeros(channels))
        self.register_buffer("avg_var", torch.ones(channels))

    def forward(self, x, code=None):
        if self.training:
            m, v = x.mean(0), x.var(0, unbiased=False)
            with torch.no_grad():
                self.avg_mean.lerp_(m, self.momentum)
                self.avg_var.lerp_(v, self.momentum)
        else:
            m, v = self.avg_mean, self.avg_var
        g, b = self.scale, self.shift
        if code is not None:
            g, b = g + self.to_scale(code), b + self.to_shift(code)
        return g * (x - m) / torch.sqrt(v + self.eps) + b
