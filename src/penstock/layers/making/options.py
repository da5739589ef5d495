"""Checks of the options of a layer: what was given, what was wrong, what to do."""

import operator
import warnings
from collections.abc import Mapping

from penstock.cells import Cell
from penstock.cells.modifiers import Modifiers
from penstock.errors import ArgumentError, nearest


def modifiers(
    cell: Cell,
    recurrent_dropout: float,
    zoneout: float | Mapping[str, float],
    layer_norm: bool,
    clip_gates: float,
    clip_state: float,
) -> Modifiers:
    """Return the modifiers of a layer's cell.

    Raises:
        ArgumentError: one has a value that cannot work, or names a state that is not there.
    """
    given = zoneout if isinstance(zoneout, Mapping) else dict.fromkeys(cell.states, zoneout)
    for state in given:
        if state not in cell.states:
            raise ArgumentError(f"zoneout names no state {state!r}: {nearest(state, cell.states)}")
    kept = {state: probability(f"zoneout of {state}", p) for state, p in given.items()}
    return Modifiers(
        recurrent_dropout=probability("recurrent_dropout", recurrent_dropout),
        zoneout=tuple((state, p) for state, p in kept.items() if p),
        layer_norm=flag(layer_norm=layer_norm),
        clip_gates=limit("clip_gates", clip_gates),
        clip_state=limit("clip_state", clip_state),
    )


def size(name: str, value: int, least: int = 1) -> int:
    """Return a whole number of at least `least`."""
    try:
        whole = operator.index(value)
    except TypeError:
        whole = least - 1
    if whole < least or isinstance(value, bool):
        above = f"above {least - 1}" if least else "of at least 0"
        raise ArgumentError(f"{name} is {value!r}; it must be a whole number {above}")
    return whole


def flag(**flags: bool) -> bool:
    """Return the one argument, which must be True or False."""
    ((name, value),) = flags.items()
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} is {value!r}; it must be True or False")
    return value


def probability(name: str, value: float) -> float:
    """Return a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ArgumentError(f"{name} is {value!r}; it must be a probability from 0 to 1")
    return float(value)


def limit(name: str, value: float) -> float:
    """Return a number from 0 (no limit) on."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ArgumentError(f"{name} is {value!r}; it must be a number above 0, or 0 for no limit")
    return float(value)


def dropout_between(value: float, num_layers: int) -> float:
    """Return the probability of dropout between layers, of which there should be two."""
    checked = probability("dropout", value)
    if checked and num_layers == 1:
        warnings.warn(
            f"dropout={value} acts between layers, and there is one layer: it does nothing",
            stacklevel=3,
        )
    return checked
