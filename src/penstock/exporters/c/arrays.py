"""The numbers that the C reads: constants in its source, or a file that it is given.

The file, all little-endian: a head of 32 bytes, then the float32 arrays, then those of int8, in the
order in which the header lists them. The head: the eight letters PENSTOCK, the uint32 0x01020304,
the layout's number, how many float32 and how many int8 there are, the Adler-32 of all bytes
after the head, and a zero.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from penstock.errors import ExportError

_LINE = 96  # letters
_BEYOND = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}


@dataclass(frozen=True, eq=False)
class Array:
    """Numbers in C: float32, or int8."""

    name: str
    values: np.ndarray
    what: str

    @property
    def is_int8(self) -> bool:
        """Whether they are int8."""
        return self.values.dtype == np.int8

    @property
    def ctype(self) -> str:
        """Their type in C."""
        return "int8_t" if self.is_int8 else "float"


@dataclass
class ArrayPool:
    """The arrays of a network, each once. prefix: of their names."""

    prefix: str
    arrays: list[Array] = field(default_factory=list)
    _known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def add(self, values: Tensor, what: str) -> str:
        """Add numbers; return their name in C. Those that are there already are not added again."""
        kind = torch.int8 if values.dtype == torch.int8 else torch.float32
        flat = values.detach().cpu().contiguous().to(kind).reshape(-1).numpy()
        key = (flat.dtype.str, flat.tobytes())
        if key not in self._known:
            self._known[key] = f"{self.prefix}_w{len(self.arrays)}"
            self.arrays.append(Array(self._known[key], flat, what))
        return self._known[key]

    def of_floats(self) -> list[Array]:
        """Return the arrays of float32."""
        return [a for a in self.arrays if not a.is_int8]

    def of_bytes(self) -> list[Array]:
        """Return the arrays of int8."""
        return [a for a in self.arrays if a.is_int8]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(a.values.nbytes for a in self.arrays)

    def offsets(self) -> Iterator[tuple[Array, int]]:
        """Yield each array as the file has them, and its place among those of its type."""
        for arrays in (self.of_floats(), self.of_bytes()):
            place = 0
            for array in arrays:
                yield array, place
                place += array.values.size

    @property
    def layout(self) -> int:
        """A number that tells this network's arrays from another's."""
        said = [(a.name, a.ctype, a.values.size, a.what) for a in self.arrays]
        return zlib.crc32(repr(said).encode())

    def file(self) -> bytes:
        """Return the file of weights."""
        data = b"".join(a.values.astype("<f4").tobytes() for a in self.of_floats())
        data += b"".join(a.values.tobytes() for a in self.of_bytes())
        counts = [sum(a.values.size for a in some) for some in (self.of_floats(), self.of_bytes())]
        head = struct.pack("<6I", 0x01020304, self.layout, *counts, zlib.adler32(data), 0)
        return b"PENSTOCK" + head + data


def definition(array: Array) -> str:
    """Return an array as a constant of C."""
    lines, line = [], ""
    for word in map(str if array.is_int8 else number, array.values.tolist()):
        if len(line) + len(word) + 4 > _LINE:
            lines.append(line)
            line = ""
        line += f" {word},"
    lines.append(line.rstrip(","))
    inside = "\n ".join(lines)
    return (
        f"/* {array.what} */\n"
        f"static const {array.ctype} {array.name}[{array.values.size}] = {{\n {inside}\n}};\n"
    )


def number(value: float) -> str:
    """Return a float32 as C writes it, with as many digits as it takes to be that very one."""
    with np.errstate(over="ignore"):
        text = str(np.float32(value))
    if text in _BEYOND:
        return _BEYOND[text]
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def in_bytes(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return a matrix [N, K] as int8 and a scale a row: symmetric, the largest of a row is ±127.

    Raises:
        ExportError: it holds an infinity or NaN.
    """
    if not matrix.isfinite().all():
        raise ExportError("a weight is infinite or NaN, which int8 cannot say; leave int8 out")
    scale = matrix.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / 127
    scale = scale.float().double()
    return (matrix / scale[:, None]).round().clamp(-127, 127).to(torch.int8), scale
