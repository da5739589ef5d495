"""Norms of Jacobians without the Jacobians: by products of random vectors with them.

With v drawn from N(0, 1), E ‖vᵀ J‖² = ‖J‖_F², the Frobenius norm (Hutchinson 1990). Where J has no
more rows than there are to be products, the rows of the identity are taken: the norm is exact.

Legend: T time, B batch, O what is differentiated (J's rows).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from penstock.errors import ArgumentError


def probe(result: Tensor, inputs: Sequence[Tensor], probes: int) -> list[Tensor]:
    """Return vᵀ ∂result/∂input for each input, with v along a new first axis, in float64.

    Args:
        result: [B, O]; a row depends on that row of the inputs alone.
        inputs: what was computed with.
        probes: how many v to take. They are scaled so that the sum of the squared norms over them
            is ‖∂result/∂input‖_F², exactly where O ≤ probes, else in expectation.

    Raises:
        ArgumentError: probes is below 1.
    """
    if probes < 1:
        raise ArgumentError(f"probes is {probes}; it must be at least 1")
    size = result.shape[-1]
    if size <= probes:
        vectors = torch.eye(size)
    else:
        generator = torch.Generator().manual_seed(0)
        vectors = torch.randn(probes, size, generator=generator) / probes**0.5
    probed: list[list[Tensor]] = [[] for _ in inputs]
    for vector in vectors.to(result):
        gradients = torch.autograd.grad(
            (result * vector).sum(), inputs, retain_graph=True, materialize_grads=True
        )
        for own, gradient in zip(probed, gradients, strict=True):
            own.append(gradient.detach().double())
    return [torch.stack(own) for own in probed]


def by_lag(norms: Tensor, lengths: Tensor | None) -> tuple[float, ...]:
    """Return the mean over rows of norms [T, B], by how long before its row's end a step is.

    The first value is of the last step of each row, lengths [B]; None: all have T steps.
    """
    T, B = norms.shape
    ends = torch.full((B,), T) if lengths is None else lengths.cpu()
    rows = [norms[: int(end), b].flip(0) for b, end in enumerate(ends)]
    longest = int(ends.max())
    return tuple(
        float(torch.stack([row[k] for row in rows if len(row) > k]).mean()) for k in range(longest)
    )
