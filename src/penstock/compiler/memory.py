"""Memory for buffers: large ones on huge pages, where the system has them.

Fresh memory costs a page fault for every 4 KiB that is touched, which for a sweep can be more than
half of its time, and two threads that fault at once wait for each other. On huge pages there is
one fault for every 2 MiB.
"""

import ctypes
import math
import sys

from torch import Tensor

_HUGE = 1 << 21
_ADVICE = 14  # MADV_HUGEPAGE
_madvise = ctypes.CDLL(None).madvise if sys.platform == "linux" else None


def empty(like: Tensor, *shape: int) -> Tensor:
    """Return new memory of a shape, of another tensor's dtype and device, not filled."""
    size = like.element_size()
    count = math.prod(shape)
    if _madvise is None or count * size < _HUGE:
        return like.new_empty(shape)
    whole = like.new_empty(count + _HUGE // size)
    offset = -whole.data_ptr() % _HUGE
    _madvise(ctypes.c_void_p(whole.data_ptr() + offset), ctypes.c_size_t(count * size), _ADVICE)
    return whole[offset // size : offset // size + count].view(shape)
