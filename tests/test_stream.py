"""The random numbers are those of splitmix64, and random enough for what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bncheck.stream import Stream, _mixed

MASK = (1 << 64) - 1


def splitmix64(state: int) -> tuple[int, int]:
    """The published algorithm, in Python's integers."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


def test_the_numbers_are_those_of_splitmix64() -> None:
    # The first output for the seed 0 that implementations are compared by.
    assert int(_mixed(np.array([0x9E3779B97F4A7C15], dtype=np.uint64))[0]) == 0xE220A8397B1DCDAF
    stream = Stream(7, "x", 3)
    state, expected = stream.key, []
    for _ in range(100):
        state, bits = splitmix64(state)
        expected.append((bits >> 11) * 2.0**-53)
    assert stream.uniform(0, 1, 60).tolist() + stream.uniform(0, 1, 40).tolist() == expected


def test_every_seed_and_purpose_has_its_own_numbers() -> None:
    words: list[Any] = [
        (0,),
        (1,),
        (256,),
        (1 << 64,),
        (1 << 200,),
        (0, "x"),
        (0, "xx"),
        (0, "x", 0),
        (0, "x", 1),
        (0, "", "x"),
    ]
    assert len({float(Stream(*each).uniform(0, 1, 1)[0]) for each in words}) == len(words)
    assert np.array_equal(Stream(5, "a").normal(3, 4), Stream(5, "a").normal(3, 4))


@pytest.mark.parametrize("seed", range(3))
def test_moments_are_those_of_the_distributions(seed: int) -> None:
    n = 400_001  # more than one block, and odd
    normal = Stream(seed, "normal").normal(n)
    assert np.isfinite(normal).all()
    for power, moment, spread in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(np.mean(normal**power) - moment) < 5 * np.sqrt(spread / n)
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 5 / np.sqrt(n)
    half = n // 2
    assert abs(np.corrcoef(normal[:half], normal[half : 2 * half])[0, 1]) < 5 / np.sqrt(half)
    uniform = Stream(seed, "uniform").uniform(-1, 3, n)
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() < 3
    counts = np.histogram(uniform, 100, (-1, 3))[0]
    assert np.sum((counts - n / 100) ** 2 / (n / 100)) < 99 + 5 * np.sqrt(2 * 99)
    assert abs(Stream(seed, "signs").signs(n).sum()) < 5 * np.sqrt(n)


def test_a_permutation_holds_every_number_once() -> None:
    made = Stream(1).permutation(1000)
    assert sorted(made) == list(range(1000))
    assert not np.array_equal(made, np.arange(1000))
