import jax.numpy as jnp


def batch_norm(x, gamma, beta, eps=1e-5):
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean), axis=0)
    return gamma * (x - mean) / jnp.sqrt(var + eps) + beta
