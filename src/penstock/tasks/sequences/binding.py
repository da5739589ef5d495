"""How tasks on labelled sequences are bound to data: what is in which part, encoded, specified."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.labelled.encoding import Encoding
from penstock.data.labelled.pieces import Pieces
from penstock.data.labelled.sequences import Sequences
from penstock.data.splits import Members, divide
from penstock.errors import DataError
from penstock.tasks.sequences.problem import SequenceProblem
from penstock.tasks.shared import check_parts

Encoded = tuple[Sequences, Encoding, Tensor, Tensor, dict[str, Pieces]]


def encoded(data: Sequences, parts: dict[str, Pieces]) -> Encoded:
    """Return what a `SequenceProblem` begins with: data, and inputs as training encodes them.

    Raises:
        DataError: a part is empty.
    """
    check_parts(parts, data.name)
    encoding = Encoding.fit(data, parts["train"].all_rows())
    return data, encoding, *encoding.encode(data), parts


def divided(data: Sequences, kept: NDArray[np.int64], strata: NDArray[np.int64]) -> Members:
    """Return which of the sequences `kept` [K], whose classes are `strata` [K], are in which part.

    Raises:
        DataError: the parts that the user wants cannot be.
    """
    told = (
        None
        if data.parts is None
        else data.parts.gather(data.offsets[:-1]).to_numpy()[kept].astype(np.str_)
    )
    groups = data.group_numbers()
    try:
        of_kept = None if groups is None else groups[kept]
        by_part = divide(strata, told, of_kept, data.draw)
    except DataError as error:
        raise DataError(f"{data.name}: {error}") from None
    return {part: kept[members] for part, members in by_part.items()}


def make_spec(problem: SequenceProblem, start: Tensor, **more: Any) -> dict[str, Any]:
    """Return columns, encoding, the outputs that an untrained network gives, and what is more."""
    return {
        "layout": asdict(problem.data.layout),
        "encoding": problem.encoding.record(),
        **more,
        "start": start.tolist(),
    }
