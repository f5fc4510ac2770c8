import jax.numpy as jnp


def batch_norm(x, gamma, beta, running_mean, running_var, training=True, momentum=0.9, eps=1e-5):
    if training:
        mean = x.mean(0)
        # fewer passes over the memory
        var = (x * x).mean(0) - mean * mean
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    out = gamma * (x - mean) / jnp.sqrt(var + eps) + beta
    return out, running_mean, running_var
