import jax
import jax.numpy as jnp
from jax import lax


def batch_norm(x, gamma, beta, eps=1e-5):
    mean = lax.stop_gradient(jnp.mean(x, axis=0))
    var = lax.stop_gradient(jnp.var(x, axis=0))
    return gamma * (x - mean) * lax.rsqrt(var + eps) + beta


batch_norm = jax.jit(batch_norm)
