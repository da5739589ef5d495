"""Bytes of a text file → the same text in UTF-8, and in which encoding it was."""

import codecs

from penstock.errors import DataError

_BOMS = (  # the longer first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GUESSES = ("cp1252", "cp1250", "cp1251", "cp1253", "cp932", "gb18030", "big5", "cp949", "koi8_r")
_ENOUGH = 40  # bytes beyond ASCII; from fewer no encoding but the most common can be told
_SAMPLE = 100_000
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f\v\x1a"})
_MOST_CONTROLS = 0.01  # of a text's bytes; a file with more is none


def to_utf8(content: bytes) -> tuple[bytes, str]:
    """Return a text in UTF-8 without a byte order mark, and the name of its encoding.

    A byte order mark tells it. Without one: UTF-8 where the bytes are, UTF-16 where every other
    byte is zero, else the best guess of charset-normalizer; of a text with few letters beyond
    ASCII, cp1252, which agrees with latin-1 in all letters.

    Raises:
        DataError: the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _recoded(content[len(mark) :], encoding), encoding
    try:
        content.decode()
    except UnicodeDecodeError:
        encoding = _wide(content) or _guess(content)
        return _recoded(content, encoding), encoding
    if encoding := _wide(content):
        return _recoded(content, encoding), encoding
    _check(content)
    return content, "utf-8"


def _recoded(content: bytes, encoding: str) -> bytes:
    try:
        text = content.decode(encoding).encode()
    except UnicodeError as error:
        raise DataError(
            f"cannot be read as {encoding.upper()} ({getattr(error, 'reason', error)}); "
            "save it as UTF-8"
        ) from None
    _check(text)
    return text


def _check(text: bytes) -> None:
    sample = text[:_SAMPLE]
    if len(sample) - len(sample.translate(None, _CONTROLS)) > _MOST_CONTROLS * len(sample):
        raise DataError("cannot be read (it is no text); check that it is complete, and its suffix")


def _wide(content: bytes) -> str:
    """Return the encoding of two bytes a character whose high bytes are mostly zero, or ""."""
    sample = content[:_SAMPLE]
    half = len(sample) // 2
    for encoding, zeros, others in (
        ("utf-16-le", sample[1::2], sample[::2]),
        ("utf-16-be", sample[::2], sample[1::2]),
    ):
        if half and zeros.count(0) > 0.9 * half and others.count(0) < 0.1 * half:
            return encoding
    return ""


def _guess(content: bytes) -> str:
    from charset_normalizer import from_bytes  # noqa: PLC0415  (few files need it)

    lines = b"\n".join(line for line in content[:_SAMPLE].splitlines() if not line.isascii())
    common = _common(content)
    if sum(byte > 127 for byte in lines) < _ENOUGH:
        return common
    best = from_bytes(lines, cp_isolation=list(_GUESSES)).best()
    if best is None or str(best) == lines.decode(common, "replace"):
        return common
    try:
        content.decode(best.encoding)
    except UnicodeError:
        return common
    return best.encoding


def _common(content: bytes) -> str:
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
