"""Inputs of sequences as tensors: numbers scaled, symbols as codes; learned from training alone."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.labelled.sequences import Sequences
from penstock.data.scaling import Scale, check_fits, fit_scale

_MOST_SYMBOLS = 1000  # of a column; rarer ones are unknown


@dataclass(frozen=True)
class Encoding:
    """How the inputs become tensors.

    Attributes:
        scales: of each column of numbers.
        vocabularies: the symbols of each column of symbols, sorted; code 0 is any other.
    """

    scales: tuple[Scale, ...]
    vocabularies: tuple[tuple[str, ...], ...]

    @staticmethod
    def fit(data: Sequences, rows: Tensor) -> "Encoding":
        """Return the encoding of the inputs at `rows`, the steps of the training part."""
        seen = rows.numpy()
        values = data.numbers[seen]
        return Encoding(
            tuple(_scale(column) for column in values.T),
            tuple(vocabulary(column.gather(seen)) for column in data.symbols),
        )

    @staticmethod
    def of_record(record: dict[str, Any]) -> "Encoding":
        """Return what `record` was made from."""
        scales = tuple(Scale(**scale) for scale in record["scales"])
        return Encoding(scales, tuple(tuple(words) for words in record["vocabularies"]))

    def record(self) -> dict[str, Any]:
        """Return the encoding as values fit for JSON."""
        return {"scales": [asdict(s) for s in self.scales], "vocabularies": self.vocabularies}

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each column of symbols."""
        return tuple(len(words) + 1 for words in self.vocabularies)

    def encode(self, data: Sequences) -> tuple[Tensor, Tensor]:
        """Return numbers [N, F] float32 and codes [N, C] int64.

        Numbers are 0, the mean, where they are missing, and where their column was constant in
        training: what its changes mean was not learned.
        """
        means = np.array([s.mean for s in self.scales])
        stds = np.array([s.std or 1.0 for s in self.scales])
        learned = np.array([s.std > 0 for s in self.scales])
        scaled = np.nan_to_num((data.numbers - means) / stds) * learned
        check_fits(scaled, data.place)
        numbers = torch.from_numpy(scaled.astype(np.float32))
        codes = [
            code(column, words)
            for column, words in zip(data.symbols, self.vocabularies, strict=True)
        ]
        rows = len(numbers)
        return numbers, torch.stack(codes, 1) if codes else torch.empty(rows, 0, dtype=torch.int64)


def vocabulary(column: pl.Series) -> tuple[str, ...]:
    """Return the most frequent values of a column of text, sorted; the empty one is none."""
    counts = column.filter(column != "").alias("value").value_counts(sort=True, name="n")
    counts = counts.sort("n", "value", descending=[True, False]).head(_MOST_SYMBOLS)
    return tuple(sorted(counts["value"]))


def code(column: pl.Series, words: tuple[str, ...]) -> Tensor:
    """Return the place of each value among `words`, from 1; 0 where it is none of them."""
    places = column.replace_strict(
        pl.Series(words, dtype=pl.String),
        pl.Series(range(1, len(words) + 1), dtype=pl.Int64),
        default=0,
        return_dtype=pl.Int64,
    )
    return torch.from_numpy(places.to_numpy().copy())


def _scale(column: NDArray[np.float64]) -> Scale:
    seen = ~np.isnan(column)
    return fit_scale(column, seen) if seen.any() else Scale(0.0, 0.0)
