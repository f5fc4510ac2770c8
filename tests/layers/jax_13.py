import jax.numpy as jnp


def BatchNorm(eps=1e-5, decay=0.9):
    """Everything in one tuple, which comes back changed."""

    def init(rng, shape):
        d = shape[-1:]
        return shape, (jnp.ones(d), jnp.zeros(d), jnp.zeros(d), jnp.ones(d))

    def apply(params, x, is_training=True):
        scale, offset, avg_mean, avg_var = params
        mean, var = avg_mean, avg_var
        if is_training:
            mean, var = x.mean(0), x.var(0)
            avg_mean = decay * avg_mean + (1 - decay) * mean
            avg_var = decay * avg_var + (1 - decay) * var
        return scale * (x - mean) / jnp.sqrt(var + eps) + offset, (scale, offset, avg_mean, avg_var)

    return init, apply
