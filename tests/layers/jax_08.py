import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, eps=1e-5, momentum=0.9, rngs):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.eps, self.momentum, self.use_running_average = eps, momentum, False

    def __call__(self, x):
        mean, var = self.mean.value, self.var.value
        if not self.use_running_average:
            keep, mean, var = self.momentum, x.mean(0), x.var(0)
            self.mean.value = keep * self.mean.value + (1 - keep) * mean
            self.var.value = keep * self.var.value + (1 - keep) * var
        return self.scale.value * (x - mean) / jnp.sqrt(var + self.eps) + self.bias.value
