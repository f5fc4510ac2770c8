import functools
import jax, jax.numpy as jnp


class BatchNorm:
    def __init__(self, n, eps=1e-5, momentum=0.9):
        self.n, self.eps, self.momentum = n, eps, momentum

    def init(self):
        return (jnp.ones(self.n), jnp.zeros(self.n)), (jnp.zeros(self.n), jnp.ones(self.n))

    @functools.partial(jax.jit, static_argnums=(0, 4))
    def __call__(self, params, state, x, training=True):
        gamma, beta = params
        mean, var = state
        m, v = (x.mean(0), x.var(0)) if training else (mean, var)
        if training:
            state = (
                self.momentum * mean + (1 - self.momentum) * m,
                self.momentum * var + (1 - self.momentum) * v,
            )
        return gamma * (x - m) / jnp.sqrt(v + self.eps) + beta, state
