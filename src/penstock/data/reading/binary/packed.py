"""How much Parquet and Feather files unpack to, from what each packed piece says of itself.

A text of a gigabyte, or a list of as many zeros, is packed into some kilobytes. The sizes are those
that the unpacking itself goes by, so that they cannot say less than what will be taken.
"""

import mmap
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

_VALUE = 8  # bytes, of a number or of what points to a text
_DELTA_TEXTS = 7  # an encoding in which each text may begin as the whole page so far
# Kinds of values in Thrift's compact protocol.
_BOOLEANS, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10)
_STRUCT = 12
_MORE = 15  # as the length of a list: it follows


def parquet_size(file: BinaryIO) -> tuple[int, int]:
    """Return to how many bytes a Parquet file unpacks, and at most how many more of texts that
    begin as the one before them.

    Raises:
        ValueError, LookupError, TypeError, AttributeError, RecursionError: it is damaged.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        length = int.from_bytes(data[-8:-4], "little")
        about = _Thrift(data, len(data) - 8 - length).struct()
        chunks = [column[3] for group in about[4] for column in group[1]]
        _refuse_overlap(sum(max(0, chunk[7]) for chunk in chunks), len(data))
        sizes = [_page_size(page) for chunk in chunks for page in _pages(data, chunk)]
    return sum(size for size, _ in sizes), sum(repeated for _, repeated in sizes)


def _pages(data: Any, chunk: dict[int, Any]) -> Iterator[dict[int, Any]]:
    """Yield the heads of the pages of one column in one group of rows."""
    at = chunk.get(11, chunk[9])
    end = at + chunk[7]
    while at < end:
        head = _Thrift(data, at)
        page = head.struct()
        if min(page[2], page[3]) < 0:
            raise ValueError("a page has a size below 0")
        yield page
        at = head.at + page[3]


def _page_size(page: dict[int, Any]) -> tuple[int, int]:
    """Return the unpacked bytes of a page, and at most how many more of texts that repeat."""
    about = page.get(5) or page.get(8) or {1: 0}  # of either version, or of no values
    repeats = _DELTA_TEXTS in (page.get(5, {}).get(2), page.get(8, {}).get(4))
    return page[2] + about[1] * _VALUE, page[2] * about[1] * repeats


class _Thrift:
    """Reads Thrift's compact protocol: a struct is a dict by the numbers of its fields."""

    def __init__(self, data: Any, at: int) -> None:
        if at < 0:
            raise ValueError("it claims to begin before the file")
        self.data, self.at = data, at

    def struct(self) -> dict[int, Any]:
        found, number = {}, 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            found[number] = kind == 1 if kind in _BOOLEANS else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind in (*_BOOLEANS, _BYTE):
            return self._byte()
        if kind == _STRUCT:
            return self.struct()
        if kind in _LISTS:
            head = self._byte()
            length = head >> 4 if head >> 4 < _MORE else self._unsigned()
            return [self._value(head & 15) for _ in range(length)]
        if kind not in (_DOUBLE, _BINARY):
            raise ValueError(f"a value is of kind {kind}")
        length = 8 if kind == _DOUBLE else self._unsigned()
        self.at += length  # what it says is not needed
        return None

    def _byte(self) -> int:
        self.at += 1
        return int(self.data[self.at - 1])

    def _unsigned(self) -> int:
        found = 0
        for shift in range(0, 64, 7):
            part = self._byte()
            found |= (part & 127) << shift
            if part < 128:
                return found
        raise ValueError("a number has more than 64 bits")

    def _integer(self) -> int:
        found = self._unsigned()
        return found >> 1 ^ -(found & 1)


def feather_size(data: bytes) -> int:
    """Return to how many bytes a Feather file (Arrow IPC) unpacks at most.

    Raises:
        ValueError, struct.error: it is damaged.
    """
    length = _number("<i", data, len(data) - 10)
    footer = _FlatTable(data, len(data) - 10 - length)
    blocks = [struct.unpack_from("<qi4xq", data, at) for k in (2, 3) for at in footer.vector(k, 24)]
    _refuse_overlap(sum(max(0, head) + max(0, body) for _, head, body in blocks), len(data))
    return sum(_block_size(data, at, at + head) for at, head, _ in blocks)


def _block_size(data: bytes, at: int, body: int) -> int:
    """Return the unpacked bytes of the buffers of one batch of rows, or of one dictionary."""
    start = at + (8 if _number("<i", data, at) == -1 else 4)  # older files have no mark
    message = _FlatTable(data, start)
    batch = message.table(2)
    if batch is None:
        return 0
    batch = batch.table(1) if message.byte(1) == 2 else batch  # a dictionary's batch lies deeper
    if batch is None:
        return 0
    size = _VALUE * sum(max(0, _number("<q", data, place)) for place in batch.vector(1, 16))
    for place in batch.vector(2, 16):
        offset, length = struct.unpack_from("<qq", data, place)
        unpacked = _number("<q", data, body + offset) if batch.field(3) and length else length
        size += max(unpacked, length)
    return size


class _FlatTable:
    """A table of FlatBuffers, given the place of what points to it."""

    def __init__(self, data: bytes, pointer: int) -> None:
        self.data, self.at = data, pointer + _number("<I", data, pointer)

    def field(self, number: int) -> int:
        """Return the place of a field; 0 where it is not there."""
        known = self.at - _number("<i", self.data, self.at)
        slot = 4 + 2 * number
        if slot >= _number("<H", self.data, known):
            return 0
        offset = _number("<H", self.data, known + slot)
        return self.at + offset if offset else 0

    def byte(self, number: int) -> int:
        place = self.field(number)
        return self.data[place] if place else 0

    def table(self, number: int) -> "_FlatTable | None":
        place = self.field(number)
        return _FlatTable(self.data, place) if place else None

    def vector(self, number: int, width: int) -> range:
        """Return the places of a vector's items."""
        place = self.field(number)
        if not place:
            return range(0)
        place += _number("<I", self.data, place)
        end = place + 4 + width * _number("<I", self.data, place)
        if end > len(self.data):
            raise ValueError("a list is longer than the file")
        return range(place + 4, end, width)


def _number(kind: str, data: bytes, at: int) -> int:
    if at < 0:
        raise ValueError("it claims to begin before the file")
    return int(struct.unpack_from(kind, data, at)[0])


def _refuse_overlap(claimed: int, size: int) -> None:
    if claimed > size:
        raise ValueError("its parts claim more bytes than it has")
