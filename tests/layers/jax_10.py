import jax
import jax.numpy as jnp


@jax.custom_vjp
def batch_norm(x, gamma, beta):
    return gamma * (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5) + beta


def forth(x, gamma, beta):
    inv = 1 / jnp.sqrt(x.var(0, ddof=1) + 1e-5)
    xhat = (x - x.mean(0)) * inv
    return gamma * xhat + beta, (x, gamma)


def back(kept, dout):
    x, gamma = kept
    inv = 1 / jnp.sqrt(x.var(0) + 1e-5)
    xhat, g = (x - x.mean(0)) * inv, dout * gamma
    return inv * (g - g.mean(0) - xhat * (g * xhat).mean(0)), (dout * xhat).sum(0), dout.sum(0)


batch_norm.defvjp(forth, back)
