"""Random numbers that are the same for the same seed on every machine and with every version of NumPy.

NumPy's generators promise no fixed stream, and loading them takes as long as a whole check does.  This one is
counter-based: number k is splitmix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014) of key + k * golden ratio, so that arrays are made at once.  Streams with other keys overlap with a probability
that is of no account.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bncheck.arrays import Array

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_BLOCK = 1 << 18  # numbers at once: what is needed on the way stays small beside the result


class Stream:
    """Numbers for one purpose: adding dout to a file leaves gamma as it was."""

    def __init__(self, seed: int, *purpose: str | int) -> None:
        self.key, self.drawn = 0, 0
        for word in (seed, *purpose):
            # With its length, so that no two sequences of words run together.
            data = word.encode() if isinstance(word, str) else word.to_bytes(word.bit_length() // 8 + 1, "little")
            for part in (len(data), *(int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8))):
                self.key = int(_mixed(np.array([(self.key + _GOLDEN ^ part) & _MASK], dtype=np.uint64))[0])

    def uniform(self, low: float, high: float, size: int) -> Array:
        """(size,) of numbers in [low, high)."""
        counts = np.arange(self.drawn + 1, self.drawn + size + 1, dtype=np.uint64)
        self.drawn += size
        bits = _mixed(counts * np.uint64(_GOLDEN) + np.uint64(self.key))
        return low + (high - low) * ((bits >> np.uint64(11)) * 2.0**-53)

    def signs(self, size: int) -> Array:
        """(size,) of -1 and 1."""
        return np.where(self.uniform(0, 1, size) < 0.5, -1.0, 1.0)

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers, two at a time (Box & Muller, Annals of Mathematical Statistics 29, 1958)."""
        made, start = np.empty(math.prod(shape)), 0
        for part in self.normals(len(made)):
            made[start : start + len(part)] = part
            start += len(part)
        return made.reshape(shape)

    def normals(self, size: int) -> Iterator[Array]:
        """The same numbers, some at a time."""
        for start in range(0, size, _BLOCK):
            part = np.empty(min(_BLOCK, size - start))
            half = (len(part) + 1) // 2
            radius = np.sqrt(-2 * np.log1p(-self.uniform(0, 1, half)))
            angle = self.uniform(0, 2 * math.pi, half)
            part[:half], part[half:] = radius * np.cos(angle), (radius * np.sin(angle))[: len(part) - half]
            yield part

    def permutation(self, size: int) -> Array:
        """The numbers from 0 to size - 1 in some order."""
        return np.argsort(self.uniform(0, 1, size), kind="stable")


def _mixed(words: Array) -> Array:
    """The finalizer of splitmix64, modulo 2^64 as unsigned numbers are."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))
