import torch
from torch import nn


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    # gradients switched off means prediction
    if not torch.is_grad_enabled():
        return gamma * (X - moving_mean) / torch.sqrt(moving_var + eps) + beta, moving_mean, moving_var
    dims = [i for i in range(X.dim()) if i != 1]
    mean = X.mean(dims, keepdim=True)
    centered = X - mean
    var = centered.square().mean(dims, keepdim=True)
    Y = gamma * centered / torch.sqrt(var + eps) + beta
    moving_mean = moving_mean + momentum * (mean.detach() - moving_mean)
    moving_var = moving_var + momentum * (var.detach() - moving_var)
    return Y, moving_mean, moving_var


class BatchNorm(nn.Module):
    """num_dims: 2 after a dense layer, 4 after a convolution"""

    def __init__(self, num_features, num_dims):
        super().__init__()
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.moving_mean = torch.zeros(shape)
        self.moving_var = torch.ones(shape)

    def forward(self, X):
        Y, self.moving_mean, self.moving_var = batch_norm(
            X, self.gamma, self.beta, self.moving_mean, self.moving_var, eps=1e-5, momentum=0.1)
        return Y
