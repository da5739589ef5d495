"""What Penstock raises. Every message says what was given, what was wrong, and what to do.

PenstockError
├── CellError          a cell's class is not well formed (raised when the class is defined)
├── UnknownCellError   no cell of that name (also a ValueError)
├── ArgumentError      an argument of a layer or a command has the wrong value (also a ValueError)
├── BackendError       the backend asked for cannot run this cell here
│   └── TraceError     a step does what the compiler has no op for; the layer then runs eager
├── DataError          a data file cannot be used as it is
├── ExportError        a format cannot say what a module does (also a ValueError)
└── ModelFileError     a saved model cannot be read
"""

import difflib
from collections.abc import Iterable


class PenstockError(Exception):
    """Base of all errors that Penstock raises on purpose."""


class CellError(PenstockError, TypeError):
    """A cell's class is not well formed."""


class ArgumentError(PenstockError, ValueError):
    """An argument has a value that cannot work."""


class UnknownCellError(ArgumentError):
    """No cell has that name."""


class BackendError(PenstockError, RuntimeError):
    """The backend asked for cannot run this cell here."""


class TraceError(BackendError):
    """A step does what the compiler has no op for."""


class DataError(PenstockError, ValueError):
    """A data file cannot be used as it is."""


class ExportError(PenstockError, ValueError):
    """A format cannot say what a module does."""


class ModelFileError(PenstockError, ValueError):
    """A saved model cannot be read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'gru'?``, or the known names where none is near."""
    by_lower = {k.lower(): k for k in sorted(known)}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(repr(by_lower[n]) for n in near)}?"
    return f"known: {', '.join(by_lower.values())}." if by_lower else "none is known."
