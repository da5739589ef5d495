"""Whether torch follows a call op by op: then a kernel, which it cannot see into, must not run."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.autograd import forward_ad

ORDINARY = frozenset((Tensor, torch.nn.Parameter, torch.nn.Buffer))


def is_traced() -> bool:
    """Return whether torch.jit.trace records, as the legacy export to ONNX does too."""
    return torch._C._get_tracing_state() is not None


# Whether a dispatch mode is on: 0, or how many. As it is, for a call is 2 % of a stream's step.
is_watched = torch._C._len_torch_dispatch_stack


def is_followed(tensors: Iterable[Tensor | None]) -> bool:
    """Return whether what is done with these tensors is recorded, transformed or replaced.

    That is under torch.jit.trace, vmap, jvp and the like, under a dispatch mode (make_fx, fake
    tensors, FLOP counters), and for classes of tensors that do other things than compute, or stand
    for many tensors, as gradients do under is_grads_batched.
    """
    given = [t for t in tensors if t is not None]
    return (
        is_traced()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
        or is_watched() > 0
        or not ORDINARY.issuperset(map(type, given))
        or not all(map(torch._C._has_storage, given))
    )
