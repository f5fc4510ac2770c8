import dataclasses
import jax, jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class BatchNorm:
    dim: int
    eps: float = 1e-5
    momentum: float = 0.9

    def init(self, key):
        return {"scale": jnp.ones(self.dim), "bias": jnp.zeros(self.dim)}, {
            "mean": jnp.zeros(self.dim),
            "var": jnp.ones(self.dim),
            "steps": jnp.zeros(()),
        }

    def apply(self, params, state, x, train):
        if train:
            mean, var = x.mean(0), x.var(0, ddof=1)
            state = {
                "mean": self.momentum * state["mean"] + (1 - self.momentum) * mean,
                "var": self.momentum * state["var"] + (1 - self.momentum) * var,
                "steps": state["steps"] + 1,
            }
        else:
            mean, var = state["mean"], state["var"]
        return params["scale"] * (x - mean) * jax.lax.rsqrt(var + self.eps) + params["bias"], state
