"""What stands between the layers of a stack: directions merged, projections, ways around.

Legend: T time, B batch, O features of a direction's output, D directions, P projection.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from penstock.errors import ArgumentError

MERGES: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "concat": lambda outputs: torch.cat(list(outputs), dim=-1),
    "sum": lambda outputs: outputs[0] + outputs[1],
    "mean": lambda outputs: (outputs[0] + outputs[1]) / 2,
    "product": lambda outputs: outputs[0] * outputs[1],
}
CONNECTIONS = ("none", "residual", "highway")


class Connection(nn.Module):
    """From a layer's input x and the outputs y of its directions to what the next layer reads.

    z = merge(y), then W_p z with a projection, then, where x is as wide as z:
    residual: z + x (He et al. 2016, arXiv:1512.03385);
    highway: t ⊙ z + (1 − t) ⊙ x, t = σ(W_t x + b_t), b_t = −1 at first, so that x passes
    (Srivastava et al. 2015, arXiv:1505.00387).
    """

    def __init__(
        self, input_size: int, size: int, merge: str, connection: str, projection: int, **like: Any
    ) -> None:
        super().__init__()
        self.merge, self.output_size = merge, projection or size
        fits = input_size == self.output_size
        self.adds = fits and connection == "residual"
        self.projection = nn.Linear(size, projection, bias=False, **like) if projection else None
        highway = fits and connection == "highway"
        self.gate = nn.Linear(input_size, self.output_size, **like) if highway else None

    def reset_parameters(self) -> None:
        """Draw the parameters as torch.nn.Linear does; the highway's bias is −1."""
        for part in (self.projection, self.gate):
            if part is not None:
                part.reset_parameters()
        if self.gate is not None:
            nn.init.constant_(self.gate.bias, -1.0)

    @property
    def goes_around(self) -> bool:
        """Whether x is added."""
        return self.adds or self.gate is not None

    @property
    def is_plain(self) -> bool:
        """Whether the next layer reads a single direction's output itself."""
        return self.projection is None and not self.goes_around

    def forward(self, x: Tensor, outputs: Sequence[Tensor], valid: Tensor | None = None) -> Tensor:
        """Return what the next layer reads, [T, B, ·]; 0 past a row's end."""
        z = outputs[0] if len(outputs) == 1 else MERGES[self.merge](outputs)
        if self.projection is not None:
            z = self._wide("projection", self.projection(z))
        if self.adds:
            return z + x
        if self.gate is None:
            return z
        t = torch.sigmoid(self._wide("gate", self.gate(x)))
        mixed = t * z + (1 - t) * x
        return mixed if valid is None else mixed.masked_fill(~valid[..., None], 0)

    def _wide(self, name: str, made: Tensor) -> Tensor:
        """Return what a part has made, if it is as wide as it must be: a sum would spread it."""
        if made.shape[-1] != self.output_size:
            raise ArgumentError(
                f"the connection's {name} gives {made.shape[-1]} features; it must give "
                f"{self.output_size}"
            )
        return made


def check(merge: str, connection: str) -> None:
    """Raise unless both names are known.

    Raises:
        ArgumentError: one is not.
    """
    for what, name, known in (("merge", merge, MERGES), ("connection", connection, CONNECTIONS)):
        if name not in known:
            raise ArgumentError(f"{what} is {name!r}; it must be one of {', '.join(known)}")
