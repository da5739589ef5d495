"""The recurrent layers of a network, as a structure says."""

from penstock.cells import Cell
from penstock.layers.recurrent import Recurrent
from penstock.record.structure import Structure


def stack(cell: str | type[Cell], inputs: int, structure: Structure) -> Recurrent:
    """Return the layers, which take [B, T, inputs]; what they give has `output_size` features."""
    return Recurrent(
        cell,
        inputs,
        structure.width,
        structure.layers,
        batch_first=True,
        dropout=structure.dropout if structure.layers > 1 else 0.0,
        bidirectional=structure.bidirectional,
    )
