import jax
import jax.numpy as jnp


@jax.custom_vjp
def batchnorm(x, scale, offset):
    return batchnorm_fwd(x, scale, offset)[0]


def batchnorm_fwd(x, scale, offset):
    mu = jnp.mean(x, axis=0)
    std = jnp.sqrt(jnp.var(x, axis=0) + 1e-5)
    z = (x - mu) / std
    return z * scale + offset, (z, std, scale)


def batchnorm_bwd(res, ct):
    z, std, scale = res
    dz = ct * scale
    dx = (dz - z * jnp.mean(dz * z, axis=0)) / std
    return dx, jnp.sum(ct * z, axis=0), jnp.sum(ct, axis=0)


batchnorm.defvjp(batchnorm_fwd, batchnorm_bwd)
