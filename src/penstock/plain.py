"""Text from data, files and error messages, so that nothing shows it as anything but text.

A name may hold what a terminal, Markdown or a spreadsheet obeys. Imports nothing of ours.
"""

import re
import unicodedata

# Beside control characters (Cc): halves of pairs (Cs), which no file can hold, and the signs that
# turn the direction of what follows, so that it reads as something else.
_TURNING = {
    *"\u061c\u200e\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}
_BREAKS = {"\u2028", "\u2029"}
# Of Markdown: its signs, a _ at the edge of a word, and what would make a bare address a link.
_ACTIVE = re.compile(r"[\\`*\[\]<>|~$&]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.", re.IGNORECASE)
_LEADING = re.compile(r"^(\d+(?=[.)])|(?=[#+\-=]))")
_FORMULA = re.compile(r"(^|[;,|])(?=\s*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|.")


def one_line(text: str) -> str:
    """Return a text in one line: what a terminal would obey is spelled out, as \\x1b."""
    return "".join(_spelled(sign) if _obeyed(sign) else sign for sign in text)


def lines(text: str) -> str:
    """Return a text of several lines, with the same care."""
    return "\n".join(map(one_line, text.split("\n")))


def markdown(text: str) -> str:
    """Return a text that stands in a line or a table of Markdown for itself."""
    escaped = _ACTIVE.sub(r"\\\g<0>", one_line(text).strip())
    return _LEADING.sub(r"\1\\", escaped)


def cell(text: str) -> str:
    """Return a text for a CSV file that no spreadsheet takes for a formula; numbers stay."""
    safe = one_line(text)
    return safe if _NUMBER.fullmatch(safe) else _FORMULA.sub(r"\1'", safe)


def _obeyed(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cs") or sign in _TURNING or sign in _BREAKS


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
