import jax.numpy as jnp


def dropout(rate):
    def init(key):
        return {}, {}

    def apply(params, state, x, train=True):
        return x, state

    return init, apply


def batchnorm(features, decay=0.9, eps=1e-5):
    def init(key):
        params = {"gain": jnp.ones(features), "shift": jnp.zeros(features)}
        return params, {
            "ema_mean": jnp.zeros(features),
            "ema_var": jnp.ones(features),
            "step": jnp.zeros(()),
        }

    def apply(params, state, x, train=True, **_):
        mean, var = state["ema_mean"], state["ema_var"]
        if train:
            mean, var = x.mean(0), x.var(0)
            state = {
                "ema_mean": decay * state["ema_mean"] + (1 - decay) * mean,
                "ema_var": decay * state["ema_var"] + (1 - decay) * var,
                "step": state["step"] + 1,
            }
        return params["gain"] * (x - mean) / jnp.sqrt(var) + params["shift"], state

    return init, apply
