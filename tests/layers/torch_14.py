import torch
from torch import nn


class GhostlessBatchNorm(nn.Module):
    def __init__(self, features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))
        self.shift = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.eps = eps
        self.momentum = momentum

    def forward(self, x):
        mean, var = x.mean(0), x.var(0, unbiased=False)
        if self.training:
            with torch.no_grad():
                self.mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
                self.var.mul_(1 - self.momentum).add_(var, alpha=self.momentum)
        xhat = (x - mean) / torch.sqrt(var + self.eps)
        return self.scale * xhat + self.shift
