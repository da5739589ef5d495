"""`penstock::sweep` where torch.onnx.export looks for it; `penstock.loading` sees to the import.

Imports nothing of ours, whoever is half loaded: what it does is found at its first use.
"""

import importlib
from collections.abc import Sequence
from typing import Optional

from onnxscript import BOOL, FLOAT
from onnxscript.function_libs.torch_lib.registration import torch_op


def sweep(
    key: str,
    tensors: Sequence[FLOAT],
    valid: Optional[BOOL],  # noqa: UP045  (onnxscript reads no other spelling)
    reset: Optional[BOOL],  # noqa: UP045
    reverse: bool,
    keep: bool,
) -> Sequence[FLOAT]:
    """Return the values that the operator gives, as `translation.sweep` makes them."""
    translation = importlib.import_module("penstock.exporters.onnx.translation")
    found: Sequence[FLOAT] = translation.sweep(key, tensors, valid, reset, reverse, keep)
    return found


torch_op("penstock::sweep", trace_only=True)(sweep)
