import torch


class Norm2d(torch.nn.Module):
    """Batch normalization of pictures."""

    def __init__(self, channels, device=None):
        super().__init__()
        shape = (1, channels, 1, 1)
        self.level = torch.nn.Parameter(torch.zeros(shape, device=device))
        self.factor = torch.nn.Parameter(torch.ones(shape, device=device))
        self.register_buffer("centre", torch.zeros(shape, device=device))
        self.register_buffer("power", torch.ones(shape, device=device))

    def forward(self, x):
        if x.dim() != 4:
            raise ValueError("four axes, please")
        centre, power = self.centre, self.power
        if self.training:
            centre = x.mean((0, 2, 3), keepdim=True)
            power = (x - centre).square().mean((0, 2, 3), keepdim=True)
            with torch.no_grad():
                self.centre.lerp_(centre, 0.1)
                self.power.lerp_(power, 0.1)
        return (x - centre) / (power + 1e-5).sqrt() * self.factor + self.level
