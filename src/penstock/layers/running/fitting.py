"""Whether tensors fit before torch computes with them, as torch itself often does not ask.

A bias [1] is spread over all units, float64 beside bfloat16 is computed with, and a sum with a
tensor on "meta" is one on "meta". Kernels have a gate of their own, `compiler.backends.memory`.
"""

import torch
from torch import Tensor

from penstock.compiler.pipeline import Sweep
from penstock.errors import ArgumentError

_STRIDED = torch.strided


def check(name: str, tensor: Tensor, shape: tuple[int, ...], like: Tensor) -> None:
    """Raise unless a tensor has a shape, and another's dtype and device.

    Under autocast dtypes may differ.

    Raises:
        ArgumentError: it has not.
    """
    if (
        tensor.shape != shape
        or tensor.device != like.device
        or tensor.layout is not _STRIDED
        or (tensor.dtype != like.dtype and not torch.is_autocast_enabled(like.device.type))
    ):
        raise ArgumentError(
            f"{name} is {tensor.dtype} of shape {list(tensor.shape)}, {tensor.layout} on "
            f"{tensor.device}; it must be {like.dtype} of shape {list(shape)}, {_STRIDED} on "
            f"{like.device}"
        )


def check_weights(sweep: Sweep) -> None:
    """Raise unless each of a sweep's weights has its shape, and the input's dtype and device.

    Raises:
        ArgumentError: one has not.
    """
    for name, shape in sweep.shapes.items():
        if name in sweep.weights:
            check(name, sweep.weights[name], shape, sweep.x)
