"""What a search may decide about a cell: the structure of its network, and how it is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Structure:
    """The recurrent part of a network.

    Attributes:
        width: hidden units of a layer.
        layers: one over the other.
        bidirectional: whether each layer reads from the end as well.
        dropout: the share of a layer's outputs that is set to zero in training, those of the last
            layer too.
        context: of a forecast, the last values that are looked at; None takes all that are given.
    """

    width: int
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    context: int | None = None


@dataclass(frozen=True)
class Setting:
    """A point of the search, the same for every cell: its width follows from `parameters`.

    Attributes:
        learning_rate: of Adam.
        parameters: learned values of the recurrent layers, as nearly as a width can give them.
        layers, dropout, context: as `Structure`.
    """

    learning_rate: float
    parameters: int
    layers: int = 1
    dropout: float = 0.0
    context: int | None = None
