"""Durations as people write them."""

import re

from penstock.errors import ArgumentError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_SHAPE = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def seconds(text: str) -> float:
    """Return the seconds of "90", "90s", "10m", "1h30m" or "1.5h".

    Raises:
        ArgumentError: it is no duration, or none above 0.
    """
    found = _SHAPE.fullmatch(text.strip().lower())
    parts = found.groups() if found else ()
    total = sum(float(part or 0) * unit for part, unit in zip(parts, _UNITS.values(), strict=False))
    if total <= 0:
        raise ArgumentError(f"--time is {text!r}; give a duration such as 90s, 10m or 1h30m")
    return total
