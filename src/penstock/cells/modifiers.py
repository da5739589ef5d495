"""What can be changed in the step of any cell, without writing a new one."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Modifiers:
    """Changes of a cell's step; `penstock.compiler.passes.modify` makes them, on the traced graph.

    Attributes:
        recurrent_dropout: probability of zeroing a unit of what the gates read of the state, the
            same units at all steps of a sequence (Gal and Ghahramani 2016, arXiv:1512.05287).
        zoneout: for each state, the probability with which a unit keeps its old value at a step
            (Krueger et al. 2016, arXiv:1606.01305).
        layer_norm: whether W x and U h are normalised, each over all gates that read the same
            value, and the new state c on its way to the output (Ba et al. 2016,
            arXiv:1607.06450).
        clip_gates: all that a function such as σ or tanh reads of gates is clipped to ± this, and
            so is each gate that is read otherwise; 0 leaves them.
        clip_state: the state c, or the first where there is no c, is clipped to ± this; 0 leaves
            it.
        training: whether masks are drawn; otherwise their expectations stand in their place.
    """

    recurrent_dropout: float = 0.0
    zoneout: tuple[tuple[str, float], ...] = ()
    layer_norm: bool = False
    clip_gates: float = 0.0
    clip_state: float = 0.0
    training: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is changed."""
        drops = self.training and self.recurrent_dropout > 0
        return drops or bool(self.zoneout or self.layer_norm or self.clip_gates or self.clip_state)

    def masks(self) -> Iterator[tuple[str, str | None, float]]:
        """Yield what is drawn for a sweep: name, state (None: the gates' input), probability."""
        if self.training and self.recurrent_dropout:
            yield "dropout", None, self.recurrent_dropout
        if self.training:
            yield from ((f"zoneout.{state}", state, p) for state, p in self.zoneout)
