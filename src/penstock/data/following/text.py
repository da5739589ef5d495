"""Text as a row of codes: its characters, or its bytes."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.files import Source
from penstock.data.reading.text.encodings import to_utf8
from penstock.errors import DataError

Unit = Literal["character", "byte"]


@dataclass(frozen=True)
class Text:
    """A text.

    Attributes:
        name: the file's name.
        codes: [N] Unicode code points, or bytes.
        unit: which of the two.
    """

    name: str
    codes: NDArray[np.int64]
    unit: Unit

    def fingerprint(self) -> str:
        """Return a hash of the text."""
        return hashlib.sha256(self.unit.encode() + self.codes.tobytes()).hexdigest()

    def about(self) -> dict[str, Any]:
        """Return what the record of a comparison says of the data."""
        return {
            "name": self.name,
            "rows": len(self.codes),
            "series": 1,
            "missing": 0,
            "columns": {"unit": self.unit},
            "sha256": self.fingerprint(),
        }

    def show(self, code: int) -> str:
        """Return a code as it is shown: the character, or the byte as two hexadecimal digits."""
        return chr(code) if self.unit == "character" else f"{code:02x}"


def read_text(source: Source, unit: Unit) -> Text:
    """Return a text's characters or bytes.

    Raises:
        DataError: the source is no text, or of no encoding that can be told.
    """
    if source.text is None:
        raise DataError(f"{source.name} is no text; give a .txt file")
    if unit == "byte":
        return Text(source.name, np.frombuffer(source.text, np.uint8).astype(np.int64), unit)
    try:
        decoded = to_utf8(source.text)[0].decode()
    except DataError as error:
        raise DataError(f"{source.name} {error}, or learn its bytes with --task bytes") from None
    points = np.frombuffer(decoded.encode("utf-32-le", "surrogatepass"), np.uint32)
    return Text(source.name, points.astype(np.int64), unit)


def encode(data: Text, alphabet: tuple[int, ...]) -> Tensor:
    """Return the place of each symbol in the sorted alphabet, its length where it is none of it."""
    known = np.array(alphabet)
    place = np.minimum(np.searchsorted(known, data.codes), len(known) - 1)
    return torch.from_numpy(np.where(known[place] == data.codes, place, len(known)))
