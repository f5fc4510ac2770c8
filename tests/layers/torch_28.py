import torch


class BatchNorm(torch.nn.Module):
    def __init__(self, n, eps=1e-5):
        super().__init__()
        self.gamma = torch.nn.Parameter(torch.ones(n))
        self.beta = torch.nn.Parameter(torch.zeros(n))
        self.eps = eps

    def forward(self, x):
        y = (
            self.gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + self.eps)
            + self.beta
        )
        return y.to(torch.bfloat16)
