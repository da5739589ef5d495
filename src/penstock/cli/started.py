"""The time since this process began."""

import os
import time
from pathlib import Path

_IMPORTED = time.monotonic()
_LONGEST_START = 60.0


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
