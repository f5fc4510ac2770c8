import functools
import jax, jax.numpy as jnp


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def bn(params, x, eps):
    return fwd(params, x, eps)[0]


def fwd(params, x, eps):
    m = x.mean(0)
    inv = jax.lax.rsqrt(((x - m) ** 2).mean(0) + eps)
    xhat = (x - m) * inv
    return params["gamma"] * xhat + params["beta"], (xhat, inv, params["gamma"])


def bwd(eps, res, dout):
    xhat, inv, gamma = res
    g = dout * gamma
    return {"gamma": (dout * xhat).sum(0), "beta": dout.sum(0)}, inv * (
        g - g.mean(0) - xhat * (g * xhat).mean(0)
    )


bn.defvjp(fwd, bwd)
