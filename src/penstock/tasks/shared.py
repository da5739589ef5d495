"""What tasks of several kinds share: parts that are checked, notes, places evenly spread."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.labelled.pieces import Pieces
from penstock.errors import DataError

EXAMPLES = 4  # test windows to draw


def spread(size: int, most: int = EXAMPLES) -> Tensor:
    """Return up to `most` numbers from 0 to size − 1, evenly spread, with both ends."""
    count = min(most, size)
    return torch.arange(count) * (size - 1) // max(count - 1, 1)


def pieces_note(offsets: NDArray[np.int64], longest: int) -> tuple[str, ...]:
    """Return a note if sequences, which start at `offsets` [S + 1], are longer than a piece."""
    if np.diff(offsets).max() <= longest:
        return ()
    why = "each from a state of zero: what came before a piece is not seen"
    return (f"sequences longer than {longest} steps are read in pieces of {longest}, {why}",)


def check_parts(parts: dict[str, Pieces], name: str) -> None:
    """Raise if a part is empty.

    Raises:
        DataError: one is.
    """
    empty = [part for part, pieces in parts.items() if not len(pieces)]
    if empty:
        raise DataError(f"{name}: too few data; nothing is left for {' and '.join(empty)}")
