"""Text from data, files and error messages, so that nothing shows it as anything but text.

A name may hold what a terminal, Markdown or a spreadsheet obeys. Imports nothing of ours.
"""

import re

# Control characters; breaks of lines; halves of pairs, which no file can hold; and the signs that
# turn the direction of what follows, so that it reads as something else.
_OBEYED = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
# Of Markdown: its signs, a _ at the edge of a word, and what would make a bare address a link.
_ACTIVE = re.compile(r"[\\`*\[\]<>|~$&]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.", re.IGNORECASE)
_LEADING = re.compile(r"^(\d+(?=[.)])|(?=[#+\-=]))")
_FORMULA = re.compile(r"(^|[;,|])(?=\s*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|.")


def one_line(text: str) -> str:
    """Return a text in one line: what a terminal would obey is spelled out, as \\x1b."""
    return _OBEYED.sub(_spelled, text)


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


def _spelled(sign: re.Match[str]) -> str:
    return sign[0].encode("unicode_escape").decode("ascii")
