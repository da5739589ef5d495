"""N-grams: what a network must beat to be of use on text."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def ngram(train: Codes, context: Codes, test: Codes, size: int, order: int) -> NDArray[np.float64]:
    """Return p of each symbol of `test` given the `order` − 1 before it, counted in `train`.

    Interpolated by the rule of Witten & Bell (1991, method C): with history h, h′ that without its
    first symbol, n the counts and T(h) the number of different symbols that came after h,

        p(c | h) = (n(h c) + T(h) p(c | h′)) / (n(h) + T(h)),

    p(c | h) = p(c | h′) where h never came, and p = 1/size below the first order.

    Args:
        train: [N] symbols from 0 to size − 1.
        context: what stands before `test`, at least order − 1 symbols.
        test: [M] symbols to give probabilities of.
        size: the number of symbols there are.
        order: the length of history and symbol together; size^order must fit 63 bits.
    """
    whole = np.concatenate([context, test])
    p = np.full(len(test), 1 / size)
    for n in range(1, order + 1):
        grams, counts = np.unique(_keys(train, size, n), return_counts=True)
        histories, first = np.unique(grams // size, return_index=True)
        came = np.add.reduceat(counts, first)
        kinds = np.diff(np.append(first, len(grams)))
        wanted = _keys(whole, size, n)[-len(test) :]
        together = _look_up(grams, counts, wanted)
        before = _look_up(histories, came, wanted // size)
        different = _look_up(histories, kinds, wanted // size)
        p = np.where(before > 0, (together + different * p) / np.maximum(before + different, 1), p)
    return p


def _keys(codes: Codes, size: int, n: int) -> Codes:
    """Return each run of n symbols as one number; the last symbol is its remainder by size."""
    keys = np.zeros(len(codes) - n + 1, np.int64)
    for k in range(n):
        keys = keys * size + codes[k : len(codes) - n + 1 + k]
    return keys


def _look_up(keys: Codes, values: NDArray[np.int64], wanted: Codes) -> NDArray[np.int64]:
    """Return the value of each key wanted, 0 where there is none; keys are sorted."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
