from typing import NamedTuple
import jax, jax.numpy as jnp


class Params(NamedTuple):
    scale: jax.Array
    offset: jax.Array


class State(NamedTuple):
    count: int
    mean: jax.Array
    var: jax.Array


def batch_norm(params: Params, state: State, x, training: bool, eps=1e-5, rate=0.1):
    if training:
        mean, var = jnp.mean(x, 0), jnp.var(x, 0)
        state = State(
            state.count + 1,
            state.mean + rate * (mean - state.mean),
            state.var + rate * (var - state.var),
        )
    else:
        mean, var = state.mean, state.var
    return params.scale * (x - mean) / jnp.sqrt(var + eps) + params.offset, state
