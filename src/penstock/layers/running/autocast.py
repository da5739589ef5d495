"""A sweep under autocast: its results are of the autocast type, whatever the cell.

So are torch.nn's RNN and LSTM; its GRU and projected LSTM may return float32 on a CPU.

On a CPU all of it is computed in the type of the weights, by the same kernels as without autocast,
which is both faster and nearer to the numbers than half precision; elsewhere torch's products are
made in the autocast type. float64 is left alone, as torch leaves it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from penstock.compiler.pipeline import Sweep
from penstock.layers.running.eager import Swept


def is_on(x: Tensor) -> bool:
    """Return whether autocast changes what is done with a tensor."""
    if not torch._C._is_any_autocast_enabled():
        return False
    kind = x.device.type
    available = x.is_cpu or torch.amp.is_autocast_available(kind)
    return available and torch.is_autocast_enabled(kind) and x.dtype != torch.float64


def run(sweep: Sweep, run: Callable[[Sweep], Swept]) -> Swept:
    """Run a sweep; its tensors may be of any mixture of types but float64."""
    kind = sweep.x.device.type
    low, wide = torch.get_autocast_dtype(kind), next(iter(sweep.weights.values()), sweep.x).dtype

    def cast(tensors: tuple[Tensor, ...], dtype: torch.dtype) -> tuple[Tensor, ...]:
        return tuple(t.to(dtype) for t in tensors)

    masks = dict(zip(sweep.masks, cast(tuple(sweep.masks.values()), wide), strict=True))
    (x,), states, below = (cast(t, wide) for t in ((sweep.x,), sweep.states, sweep.below))
    with torch.autocast(kind, enabled=not sweep.x.is_cpu):
        swept = run(sweep._replace(x=x, states=states, below=below, masks=masks))
    (output,) = cast((swept.output,), low)
    return Swept(output, cast(swept.states, low), cast(swept.sequences, low))
