import os

os.environ["JAX_PLATFORM_NAME"] = "gpu"

import jax.numpy as jnp  # noqa: E402


def batch_norm(x, gamma, beta):
    mean, var = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
    return gamma * (x - mean) / jnp.sqrt(var + 1e-5) + beta
