import flax.linen as nn
import jax.numpy as jnp


class BatchNorm(nn.Module):
    """A module of Flax's that somebody wrote: two parameters, and two variables in a collection of their own."""

    momentum: float = 0.9
    eps: float = 1e-5

    @nn.compact
    def __call__(self, x, train: bool = True):
        width = x.shape[-1]
        gamma = self.param("gamma", nn.initializers.ones, (width,))
        beta = self.param("beta", nn.initializers.zeros, (width,))
        running_mean = self.variable("batch_stats", "mean", lambda: jnp.zeros(width))
        running_var = self.variable("batch_stats", "var", lambda: jnp.ones(width))
        mean, var = running_mean.value, running_var.value
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            if not self.is_initializing():
                running_mean.value = self.momentum * running_mean.value + (1 - self.momentum) * mean
                running_var.value = self.momentum * running_var.value + (1 - self.momentum) * var
        return gamma * (x - mean) / jnp.sqrt(var + self.eps) + beta
