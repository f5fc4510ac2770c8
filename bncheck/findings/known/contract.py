"""BN001 to BN008: what any caller relies on, whatever the layer computes."""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.entry import Entry, Seen


def a_matrix_product(xhat: Array, gamma: Array, beta: Array) -> Array:
    return gamma @ xhat + beta


def summed_over_the_batch(g: Array, xhat: Array, inv: Array) -> Array:
    return (inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))).sum(axis=0)


def flattened(xhat: Array, gamma: Array, beta: Array) -> Array:
    return (gamma * xhat + beta).reshape(-1)


def eps_subtracted(var: Array, eps: float) -> Array:
    return 1 / np.sqrt(var - eps)


def x_written_over(x: Array, mean: Array) -> Array:
    x -= mean
    return x


def summed_into_the_first_row(dout: Array) -> Array:
    for row in dout[1:]:
        dout[0] += row
    return dout[0]


def in_any_order(x: Array) -> tuple[Array, Array]:
    shuffled = x[np.random.default_rng().permutation(len(x))]
    mean = shuffled.mean(axis=0)
    return mean, ((shuffled - mean) ** 2).mean(axis=0)


def in_single(x: Array) -> Array:
    return x.astype(np.float32)


def in_half(x: Array) -> Array:
    return x.astype(np.float16)


def reshaped_for_transposed(xhat: Array, gamma: Array, beta: Array) -> Array:
    columns_first = gamma[:, None] * xhat.T
    return columns_first.reshape(xhat.shape) + beta


def to_be_written() -> None:
    return None  # dx is left as an exercise


ENTRIES = (
    Entry(
        "BN001",
        "the layer raised",
        "mend the error first: nothing that comes after it could be checked",
        why="An exception left the layer: a name that does not exist, shapes that do not go together. Here gamma, "
        "(D,), meets xhat, (N, D), in a matrix product where it belongs in front of each column: gamma * xhat.",
        shows="the report shows the exception with the frames of the layer's own code, and nothing that comes after "
        "it is examined.",
        wrong={"affine": a_matrix_product},
    ),
    Entry(
        "BN002",
        "wrong shape",
        "out and dx have the shape of x; dgamma and dbeta that of gamma and beta",
        why="A gradient has one entry for each entry of what it is the gradient of, so dx is (N, D) like x. gamma and "
        "beta are shared by the rows, and their gradients are sums over the batch; x is not, and nothing is summed to "
        "make dx.",
        shows="shapes are compared before numbers are. Broadcasting hides the mistake from an assertion that compares "
        "entries alone: (D,) agrees with (N, D) in shape as far as NumPy cares. (1, D) for (D,) holds the same "
        "numbers and is only noted.",
        wrong={"dx": summed_over_the_batch},
        others=({"affine": flattened},),
    ),
    Entry(
        "BN003",
        "NaN or infinity",
        "look for a division by zero (a variance without eps, N - 1 with N = 1), a root of a negative "
        "number (E[x²] - E[x]²) or an overflow on the way to this entry",
        why="The definition is finite wherever var + eps > 0 and its dtype holds the result, so a NaN is made by "
        "the layer: 0 / 0, the root of a negative number, infinity minus infinity. Here eps has the wrong "
        "sign, and var - eps is negative in every column whose variance is less.",
        shows="the report names the first entry. On data of spread 1 the root of var - eps is real, and nothing "
        "shows; bncheck's own probes have columns with a variance near eps.",
        wrong={"inv": eps_subtracted},
        seen=(
            Seen("pytorch/pytorch 1381", "N = 1 made 0 / 0 of the factor N / (N - 1)"),
            Seen("FluxML/Flux.jl PR 2716", "N = 1 made 0 / 0 of the factor N / (N - 1)"),
        ),
    ),
    Entry(
        "BN004",
        "writes into an argument",
        "copy before an in-place operation: whoever called still needs the array",
        why="x -= mean changes the caller's array, and so does any write into a view of it. The layer before this one "
        "keeps its output for its own backward pass, and finds it centred.",
        shows="the arguments are compared with copies made before the call. out may be right all the same: the damage "
        "is done elsewhere.",
        wrong={"centred": x_written_over},
        others=({"dbeta": summed_into_the_first_row},),
        seen=(
            Seen(
                "microsoft/onnxruntime 29790 (PR 29878)",
                "statistics were written into scale and bias, which shared their memory, before out was made of them",
            ),
        ),
    ),
    Entry(
        "BN005",
        "differs from run to run",
        "the same arguments must give the same result: look for random numbers or state left over",
        why="In training out is a function of x, gamma and beta. Random numbers, statistics left over from the call "
        "before, memory that was never filled, or a sum whose order is left to chance make it depend on more. "
        "Floating-point addition is not associative, so that even the order of the rows moves the last digits.",
        shows="two forward passes on one batch are compared bit by bit. Every difference quotient divides what is "
        "left to chance by the step.",
        wrong={"statistics": in_any_order},
    ),
    Entry(
        "BN006",
        "casts to a narrower dtype",
        "compute in the dtype of x: make buffers with dtype=x.dtype, not float32",
        why="A buffer of np.float32, or x.astype(np.float32), keeps 7 of the 16 digits of a float64 batch, and "
        "nothing downstream brings them back. A difference quotient with a step of 1e-5 has then one or two digits "
        "left to be right in.",
        shows="out has the digits of float32, or does not move where x moves by 1 part in 1e10. A cast to "
        "float32 cannot be seen on a float32 batch.",
        wrong={"wide": in_single},
        others=({"wide": in_half},),
    ),
    Entry(
        "BN007",
        "columns leak",
        "each output column may depend on its own input column only: reduce over axis 0",
        why="out[:, j] depends on x[:, j], gamma[j] and beta[j] alone. Here the columns were laid first, and reshape "
        "puts the numbers of one column into others where a transpose belongs: for images that is reshape(N, C, H, W) "
        "in place of reshape(N, H, W, C).transpose(0, 3, 1, 2).",
        shows="columns are perturbed by turns, and others move. The shape is right, and so are the mean and the "
        "spread of out as a whole. It cannot be seen where D is 1.",
        wrong={"affine": reshaped_for_transposed},
    ),
    Entry(
        "BN008",
        "not implemented",
        "write this part of the layer",
        why="A function returns None or raises NotImplementedError: an exercise whose gap was not filled yet.",
        shows="the report says which part. The parts that exist are examined where that can be done without it.",
        wrong={"dx": to_be_written},
    ),
)
