"""Durations as people write them."""

import math
import re

from penstock.errors import ArgumentError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(h|min|m|s|$)\s*")


def seconds(text: str) -> float:
    """Return the seconds of "90", "90s", "10m", "1h30m", "1h30", "1.5h" or "2 h".

    A number without a unit is in seconds, or behind another in the next smaller unit.

    Raises:
        ArgumentError: it is no duration, or none above 0.
    """
    rest, total, names = text.strip().lower(), 0.0, list(_UNITS)
    while rest and (part := _PART.match(rest)):
        unit = part[2][:1] or (names[0] if len(names) < len(_UNITS) and names else "s")
        if unit not in names:
            break  # a smaller one came before
        total += float(part[1]) * _UNITS[unit]
        names, rest = names[names.index(unit) + 1 :], rest[part.end() :]
    if rest or not 0 < total < math.inf:
        raise ArgumentError(f"the time is {text!r}; give a duration such as 90s, 10m or 1h30m")
    return total
