import torch


class BatchNorm(torch.nn.Module):
    """Running averages without a bias towards their start."""

    def __init__(self, n, eps=1e-5, decay=0.9):
        super().__init__()
        self.gamma = torch.nn.Parameter(torch.ones(n))
        self.beta = torch.nn.Parameter(torch.zeros(n))
        self.register_buffer("running_mean", torch.zeros(n))
        self.register_buffer("running_var", torch.zeros(n))
        self.register_buffer("weight_sum", torch.zeros(()))
        self.eps, self.decay = eps, decay

    def forward(self, x):
        if self.training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
            with torch.no_grad():
                self.running_mean.mul_(self.decay).add_((1 - self.decay) * mean)
                self.running_var.mul_(self.decay).add_((1 - self.decay) * var)
                self.weight_sum.mul_(self.decay).add_(1 - self.decay)
        else:
            mean, var = self.running_mean / self.weight_sum, self.running_var / self.weight_sum
        return self.gamma * (x - mean) / torch.sqrt(var + self.eps) + self.beta
