import jax
import jax.numpy as jnp
from flax import linen as nn


def batch_norm(x, deterministic, gamma, beta, moving_mean, moving_var, eps, momentum):
    axes = tuple(range(x.ndim - 1))
    mean, var = moving_mean.value, moving_var.value
    if not deterministic:
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True, ddof=1)
        moving_mean.value = momentum * moving_mean.value + (1 - momentum) * mean
        moving_var.value = momentum * moving_var.value + (1 - momentum) * var
    return gamma * (x - mean) / jnp.sqrt(var + eps) + beta


class BatchNorm(nn.Module):
    num_features: int
    num_dims: int
    training: bool = False

    @nn.compact
    def __call__(self, x):
        shape = (1,) * (self.num_dims - 1) + (self.num_features,)
        gamma = self.param("gamma", jax.nn.initializers.ones, shape)
        beta = self.param("beta", jax.nn.initializers.zeros, shape)
        mean = self.variable("batch_stats", "moving_mean", jnp.zeros, shape)
        var = self.variable("batch_stats", "moving_var", jnp.ones, shape)
        return batch_norm(x, not self.training, gamma, beta, mean, var, eps=1e-5, momentum=0.9)
