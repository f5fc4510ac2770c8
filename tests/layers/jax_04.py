"""Functional batch norm: parameters and state go in, output and new state come out."""
import jax.numpy as jnp


def init(num_features):
    params = {"gamma": jnp.ones(num_features), "beta": jnp.zeros(num_features)}
    state = {"mean": jnp.zeros(num_features), "var": jnp.ones(num_features)}
    return params, state


def apply(params, state, x, training=True, momentum=0.9, eps=1e-5):
    if training:
        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        state = {
            "mean": momentum * state["mean"] + (1 - momentum) * mean,
            "var": momentum * state["var"] + (1 - momentum) * var,
        }
    else:
        mean, var = state["mean"], state["var"]
    y = params["gamma"] * (x - mean) / jnp.sqrt(var + eps) + params["beta"]
    return y, state
