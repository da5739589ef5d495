"""How a group of products is written: sums over columns of a few vectors at a time.

The matrices lie transposed, w[k][j], so that the inner loop goes over the outputs j, which do not
depend on each other: a compiler makes vectors of it without being allowed to reorder a sum. Eight
columns k at a time, so that an output is read and written once for eight products. A product with
few outputs and many inputs is one sum over inputs for each output, in eight parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.exporters.c.arrays import ArrayPool, in_bytes
from penstock.exporters.c.values import ProductSum

_AT_ONCE = 8  # columns
_FEW = 8  # outputs


@dataclass(frozen=True, eq=False)
class ProductGroup:
    """Totals that read the same values, one below the other.

    Attributes:
        name: of the array that they give.
        width: of that array, N.
        bias: [N], or None.
        sources: what each term reads, in C.
        matrices: of each term, [N, K].
    """

    name: str
    width: int
    bias: Tensor | None
    sources: tuple[str, ...]
    matrices: tuple[Tensor, ...]

    @property
    def is_dot(self) -> bool:
        """Whether few outputs read many inputs."""
        return self.width < _FEW and all(m.shape[1] >= 2 * _AT_ONCE for m in self.matrices)


def group(name: str, totals: Sequence[ProductSum], sources: Sequence[str]) -> ProductGroup:
    """Return a group of totals; sources: what their terms read."""
    matrices = (
        torch.cat([total.terms[k][1] for total in totals]) for k in range(len(totals[0].terms))
    )
    bias = None
    if any(total.bias is not None for total in totals):
        zeros = (torch.zeros(total.width, dtype=torch.float64) for total in totals)
        parts = (z if t.bias is None else t.bias for z, t in zip(zeros, totals, strict=True))
        bias = torch.cat(list(parts))
    width = sum(total.width for total in totals)
    return ProductGroup(name, width, bias, tuple(sources), tuple(matrices))


def product_lines(made: ProductGroup, pool: ArrayPool, int8: bool) -> Iterator[str]:
    """Yield the lines that compute a group; its numbers are added to the pool."""
    start = "0.0f"
    if made.bias is not None:
        start = f"{pool.add(made.bias, f'bias [{made.width}]')}[j]"
    yield f"float {made.name}[{made.width}];"
    if int8:
        yield f"{_loop(made.width)} {made.name}[j] = {start};"
        for source, matrix in zip(made.sources, made.matrices, strict=True):
            yield from _in_bytes(made, source, matrix, pool)
    elif made.is_dot:
        yield from _dots(made, start, pool)
    else:
        yield from _columns(made, start, pool)


def _loop(width: int) -> str:
    return f"for (int j = 0; j < {width}; ++j)"


def _dots(made: ProductGroup, start: str, pool: ArrayPool) -> Iterator[str]:
    terms = [start]
    for source, matrix in zip(made.sources, made.matrices, strict=True):
        columns = matrix.shape[1]
        weights = pool.add(matrix, f"matrix [{made.width}][{columns}]")
        terms.append(f"P_dot({source}, {weights} + {columns} * j, {columns})")
    yield f"{_loop(made.width)} {made.name}[j] = {' + '.join(terms)};"


def _columns(made: ProductGroup, start: str, pool: ArrayPool) -> Iterator[str]:
    """Yield first the columns that are left over, with the bias, then eight at a time."""
    first, loops = [start], list[tuple[str, str, int, int]]()
    for source, matrix in zip(made.sources, made.matrices, strict=True):
        weights = _transposed(matrix, pool)
        columns = matrix.shape[1]
        left = columns if columns <= _AT_ONCE else columns % _AT_ONCE
        first += [f"{weights}[{_place(k, made.width)}] * {source}[{k}]" for k in range(left)]
        if left < columns:
            loops.append((source, weights, left, columns))
    if len(first) > 1 and start == "0.0f":
        del first[0]
    yield f"{_loop(made.width)}"
    yield f"  {made.name}[j] = {_folded(first)};"
    for source, weights, left, columns in loops:
        terms = [
            f"{weights}[{_at(k, made.width)}] * {source}[k{_plus(k)}]" for k in range(_AT_ONCE)
        ]
        yield f"for (int k = {left}; k < {columns}; k += {_AT_ONCE})"
        yield f"  {_loop(made.width)}"
        yield f"    {made.name}[j] += {_folded(terms)};"


def _in_bytes(made: ProductGroup, source: str, matrix: Tensor, pool: ArrayPool) -> Iterator[str]:
    """Yield a product of int8 weights: sums of whole numbers times the input, then the scale."""
    whole, scale = in_bytes(matrix)
    columns, width = matrix.shape[1], made.width
    weights = pool.add(whole.T, f"matrix [{columns}][{width}]")
    scales = pool.add(scale, f"scale a row of it [{width}]")
    left = columns if columns <= _AT_ONCE else columns % _AT_ONCE
    first = [f"(float){weights}[{_place(k, width)}] * {source}[{k}]" for k in range(left)]
    yield "{"
    yield f"  float sum[{width}];"
    yield f"  {_loop(width)}"
    yield f"    sum[j] = {_folded(first or ['0.0f'])};"
    if left < columns:
        terms = (
            f"(float){weights}[{_at(k, width)}] * {source}[k{_plus(k)}]" for k in range(_AT_ONCE)
        )
        yield f"  for (int k = {left}; k < {columns}; k += {_AT_ONCE})"
        yield f"    {_loop(width)}"
        yield f"      sum[j] += {_folded(list(terms))};"
    yield f"  {_loop(width)} {made.name}[j] += {scales}[j] * sum[j];"
    yield "}"


def _transposed(matrix: Tensor, pool: ArrayPool) -> str:
    width, columns = matrix.shape
    return pool.add(matrix.T, f"matrix [{columns}][{width}]")


def _place(k: int, width: int) -> str:
    return f"j + {k * width}" if k else "j"


def _at(k: int, width: int) -> str:
    row = f"(k + {k})" if k else "k"
    return f"{row} * {width} + j" if width > 1 else f"{row} + j"


def _plus(k: int) -> str:
    return f" + {k}" if k else ""


def _folded(terms: Sequence[str]) -> str:
    """Return a sum, on several lines where it is long."""
    return "\n          + ".join(terms) if len(terms) > 1 else terms[0]
