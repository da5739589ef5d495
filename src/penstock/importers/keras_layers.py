"""Recurrent layers of Keras as links: how each of its classes is read.

Legend: I input, H hidden, G gates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ArgumentError, ModelFileError
from penstock.importers.keras_files import Where
from penstock.importers.keras_settings import (
    BidirectionalSettings,
    CellSettings,
    DropoutSettings,
    LoopSettings,
    RNNSettings,
    Saved,
    StackSettings,
    settings_of,
)
from penstock.importers.links import (
    Dropped,
    GivenLayer,
    Links,
    Turned,
    Way,
    both_ways,
    reordered,
)

Warn = Callable[[str], None]

ALONE = "take its recurrent layers alone, by name="
MERGES = {"concat": "concat", "sum": "sum", "ave": "mean", "mul": "product", None: "concat"}


@dataclass(frozen=True)
class _KerasCell:
    """A cell of Keras: its gates in their order and in that of ours, and its activations."""

    gates: str
    wanted: str
    activations: Mapping[str, tuple[str, ...]]


_USUAL = {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}
_CELLS = {
    "SimpleRNNCell": _KerasCell("a", "a", {"activation": ("tanh", "relu")}),
    "LSTMCell": _KerasCell("ifgo", "ifgo", _USUAL),
    "GRUCell": _KerasCell("zrn", "rzn", _USUAL),
}
_LAYERS = {"SimpleRNN": "SimpleRNNCell", "LSTM": "LSTMCell", "GRU": "GRUCell"}


def read_layer(saved: Saved, where: Where, warn: Warn) -> Links:
    """Return the links of one layer.

    Raises:
        ArgumentError: Penstock has no such layer; the message names it.
        ModelFileError: its settings or variables are damaged.
    """
    return READERS[saved.class_name](saved, where, warn)


def is_read(saved: Saved) -> bool:
    """Return whether there is a way to read a layer of this class."""
    return saved.is_own and saved.class_name in READERS


def is_recurrent(saved: Saved) -> bool:
    """Return whether a layer is a recurrent one."""
    return is_read(saved) and saved.class_name in (*_LAYERS, "RNN", "Bidirectional")


def _plain(saved: Saved, where: Where, warn: Warn) -> Links:
    """Read SimpleRNN, LSTM or GRU, whose settings are those of the cell too."""
    cell = saved.model_copy(update={"class_name": _LAYERS[saved.class_name]})
    return _loop(saved, _cell(cell, where.at("cell"), saved.name, warn), warn)


def _over_cell(saved: Saved, where: Where, warn: Warn) -> Links:
    """Read a layer over one cell, or over several as one."""
    cell, at = settings_of(RNNSettings, saved.config, saved.name).cell, where.at("cell")
    if cell.class_name != "StackedRNNCells" or not cell.is_own:
        return _loop(saved, _cell(cell, at, saved.name, warn), warn)
    cells = settings_of(StackSettings, cell.config, saved.name).cells
    places = at.each("cells", [one.class_name for one in cells])
    layers = (_cell(one, place, saved.name, warn) for one, place in zip(cells, places, strict=True))
    return _loop(saved, [link for links in layers for link in links], warn)


def _loop(saved: Saved, links: Links, warn: Warn) -> Links:
    """Return links in the direction in which a layer reads."""
    settings = settings_of(LoopSettings, saved.config, saved.name)
    if settings.stateful:
        warn(
            f"{saved.name!r} is stateful in Keras; here every call starts from zero unless it is "
            "given a state: give that which the last call returned"
        )
    return [Turned(links, restored=False)] if settings.go_backwards else links


def _bidirectional(saved: Saved, where: Where, warn: Warn) -> Links:
    settings = settings_of(BidirectionalSettings, saved.config, saved.name)
    sides = {"forward_layer": settings.layer, "backward_layer": settings.backward_layer}
    for side in sides.values():
        if not is_recurrent(side) or side.class_name == "Bidirectional":
            raise ArgumentError(
                f"{saved.name!r} is bidirectional over a {side.class_name}; Penstock has it over "
                "SimpleRNN, LSTM, GRU and RNN"
            )
    forward, backward = (read_layer(side, where.at(name), warn) for name, side in sides.items())
    turned = [len(one) == 1 and isinstance(one[0], Turned) for one in (forward, backward)]
    if turned != [False, True] or not isinstance(backward[0], Turned):
        raise ArgumentError(
            f"{saved.name!r} reads backwards with its forward_layer; give that layer "
            "go_backwards=False, and the backward_layer True"
        )
    if settings.merge_mode not in MERGES:
        raise ModelFileError(f"has merge_mode={settings.merge_mode!r} in {saved.name!r}")
    if settings.merge_mode is None:
        warn(
            f"{saved.name!r} has merge_mode=None and gives two outputs; here they come as one, "
            "[..., :H] forwards and [..., H:] backwards"
        )
    merge = MERGES[settings.merge_mode]
    return [both_ways(saved.name, forward, backward[0].links, merge)]


def _dropout(saved: Saved, _where: Where, _warn: Warn) -> Links:
    rate = settings_of(DropoutSettings, saved.config, saved.name).rate
    return [Dropped(rate)] if rate else []


def _masking(saved: Saved, _where: Where, warn: Warn) -> Links:
    warn(
        f"{saved.name!r} hides padded steps in Keras; here give each row's length, by `lengths` or "
        "in a PackedSequence"
    )
    return []


def _cast(saved: Saved, _where: Where, _warn: Warn) -> Links:
    """Read what older versions put between layers of other types: numbers stay as they are."""
    kind = saved.config.get("dtype")
    if not str(kind).endswith(("float16", "float32", "float64")):
        raise ArgumentError(f"the model casts to {kind}, no type of recurrent layers; {ALONE}")
    return []


def _nothing(_saved: Saved, _where: Where, _warn: Warn) -> Links:
    return []


READERS: dict[str, Callable[[Saved, Where, Warn], Links]] = {
    **dict.fromkeys(_LAYERS, _plain),
    "RNN": _over_cell,
    "Bidirectional": _bidirectional,
    "Dropout": _dropout,
    "Masking": _masking,
    "Cast": _cast,
    "InputLayer": _nothing,
}


def _cell(saved: Saved, where: Where, layer: str, warn: Warn) -> Links:
    """Return one cell as a layer of one direction."""
    if saved.class_name not in _CELLS or not saved.is_own:
        raise ArgumentError(
            f"{layer!r} has the cell {saved.class_name}, and Penstock reads {', '.join(_CELLS)}; "
            "write its equations as a penstock.Cell, and copy the weights"
        )
    kind = _CELLS[saved.class_name]
    settings = settings_of(CellSettings, saved.config, layer)
    _check_activations(settings, kind, layer)
    cell, options = "rnn", {"nonlinearity": settings.activation}
    if saved.class_name != "SimpleRNNCell":
        resets_after = settings.reset_after or saved.class_name != "GRUCell"
        own = saved.class_name.removesuffix("Cell").lower()
        cell, options = (own if resets_after else "gru_reset_before_keep"), {}
    options |= _dropouts(settings, layer, warn)
    weights = _weights(where.arrays(), settings, kind, layer)
    arranged = {name: reordered(w, kind.gates, kind.wanted) for name, w in weights.items()}
    return [GivenLayer(layer, (Way(cell, tuple(sorted(options.items())), arranged),))]


def _check_activations(settings: CellSettings, kind: _KerasCell, layer: str) -> None:
    for role, known in kind.activations.items():
        given = getattr(settings, role)
        if given not in known:
            name = _called(given)
            raise ArgumentError(
                f"{layer!r} has {role}={name!r}, and Penstock's layer has {' or '.join(known)}; "
                "write the cell's equations with it as a penstock.Cell, and copy the weights"
            )


def _called(given: Any) -> Any:
    """Return the name of an activation: a function of the user's own is a dict."""
    if not isinstance(given, dict):
        return given
    own = given.get("config")
    return own if isinstance(own, str) else given.get("class_name")


def _dropouts(settings: CellSettings, layer: str, warn: Warn) -> dict[str, float]:
    """Return the dropout of inputs and of states; a rate of 1 does nothing in Keras."""
    rates = {"input_dropout": settings.dropout, "recurrent_dropout": settings.recurrent_dropout}
    found = {name: rate for name, rate in rates.items() if 0 < rate < 1}
    if "recurrent_dropout" in found:
        warn(
            f"{layer!r} has recurrent_dropout, for which Keras draws a mask a gate, and Penstock "
            "one for all gates; it acts in training alone"
        )
    return found


def _weights(
    arrays: list[NDArray[Any]], settings: CellSettings, kind: _KerasCell, layer: str
) -> dict[str, NDArray[Any]]:
    """Return W [G·H, I], U [G·H, H] and biases [G·H], gates in Keras's order, by our names."""
    kernel, recurrent, *bias = arrays
    H, rows = settings.units, settings.units * len(kind.gates)
    double = kind is _CELLS["GRUCell"] and settings.reset_after
    fits = kernel.ndim == 2 and kernel.shape[1] == rows and kernel.shape[0] > 0
    fits = fits and recurrent.shape == (H, rows) and len(bias) == settings.use_bias
    if not fits or any(b.shape != ((2, rows) if double else (rows,)) for b in bias):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ModelFileError(f"has variables of {layer!r} that do not fit {H} units: {shapes}")
    found = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
    if bias:
        both = bias[0] if double else np.stack([bias[0], np.zeros_like(bias[0])])
        found |= {"bias_ih": both[0], "bias_hh": both[1]}
    return found
