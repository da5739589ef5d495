"""Durations as people write them, and the time since this process began."""

import math
import os
import re
import time
from pathlib import Path

from penstock.errors import ArgumentError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(h|min|m|s|$)\s*")
_IMPORTED = time.monotonic()
_LONGEST_START = 60.0


def seconds(text: str) -> float:
    """Return the seconds of "90", "90s", "10m", "1h30m", "1h30", "1.5h" or "2 h".

    A number without a unit is in seconds, or behind another in the next smaller unit.

    Raises:
        ArgumentError: it is no duration, or none above 0.
    """
    rest, total, names = text.strip().lower(), 0.0, list(_UNITS)
    while rest and (found := _PART.match(rest)):
        unit = found[2][:1] or (names[0] if len(names) < len(_UNITS) and names else "s")
        if unit not in names:
            break  # a smaller one came before
        total += float(found[1]) * _UNITS[unit]
        names, rest = names[names.index(unit) + 1 :], rest[found.end() :]
    if rest or not 0 < total < math.inf:
        raise ArgumentError(f"--time is {text!r}; give a duration such as 90s, 10m or 1h30m")
    return total


def process_start() -> float:
    """Return when this process began, by `time.monotonic()`.

    Where the system does not say: when this module was imported, which is early.
    """
    try:
        ticks = int(
            Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
        )
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED
    began = time.monotonic() - age
    plausible = 0 <= _IMPORTED - began <= _LONGEST_START  # else the two clocks are not of one kind
    return began if plausible else _IMPORTED
