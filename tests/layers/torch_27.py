import torch


class BatchNorm(torch.nn.Module):
    """For tables with spatial_dims=1 and pictures with 2."""

    def __init__(self, features, spatial_dims, momentum=0.1, eps=1e-5):
        super().__init__()
        if spatial_dims not in (1, 2):
            raise ValueError(spatial_dims)
        shape = (1, features) if spatial_dims == 1 else (1, features, 1, 1)
        self.weight = torch.nn.Parameter(torch.ones(shape))
        self.bias = torch.nn.Parameter(torch.zeros(shape))
        self.register_buffer("running_mean", torch.zeros(shape))
        self.register_buffer("running_var", torch.ones(shape))
        self.over, self.momentum, self.eps = (
            ((0,) if spatial_dims == 1 else (0, 2, 3)),
            momentum,
            eps,
        )

    def forward(self, x):
        if self.training:
            mean, var = (
                x.mean(self.over, keepdim=True),
                x.var(self.over, unbiased=False, keepdim=True),
            )
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(var.detach(), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias
