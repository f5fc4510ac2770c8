import jax.numpy as jnp


def layer_norm(params, x, eps=1e-5):
    m = x.mean(-1, keepdims=True)
    return params["scale"] * (x - m) / jnp.sqrt(x.var(-1, keepdims=True) + eps) + params["bias"]


def group_norm(params, x, groups=1, eps=1e-5):
    g = x.reshape(x.shape[0], groups, -1)
    g = (g - g.mean(-1, keepdims=True)) / jnp.sqrt(g.var(-1, keepdims=True) + eps)
    return params["scale"] * g.reshape(x.shape) + params["bias"]


def batch_norm(params, x, eps=1e-5):
    m = x.mean(0)
    return params["scale"] * (x - m) / jnp.sqrt(x.var(0) + eps) + params["bias"]
