import equinox as eqx
import jax
import jax.numpy as jnp


class BatchNorm(eqx.Module):
    gamma: jax.Array
    beta: jax.Array
    running_mean: eqx.nn.StateIndex
    running_var: eqx.nn.StateIndex
    momentum: float = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def __init__(self, size, momentum=0.9, eps=1e-5):
        self.gamma, self.beta = jnp.ones(size), jnp.zeros(size)
        self.running_mean = eqx.nn.StateIndex(jnp.zeros(size))
        self.running_var = eqx.nn.StateIndex(jnp.ones(size))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, state, *, inference=False):
        mean, var = state.get(self.running_mean), state.get(self.running_var)
        if not inference:
            keep, old, spread = self.momentum, mean, var
            mean, var = x.mean(0), x.var(0)
            state = state.set(self.running_mean, keep * old + (1 - keep) * mean)
            state = state.set(self.running_var, keep * spread + (1 - keep) * var)
        return self.gamma * (x - mean) / jnp.sqrt(var + self.eps) + self.beta, state
