"""What was read of another library, as modules: as few as can be."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from penstock.importers.links import Dropped, GivenLayer, Link, Links, Sides, Turned
from penstock.importers.modules import Backwards, BothWays, Chain
from penstock.layers.dropins.modules import GRU, LSTM, RNN
from penstock.layers.recurrent import Recurrent

_DROP_INS: dict[str, Any] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def make(links: Links, batch_first: bool, alone: bool = True) -> nn.Module:
    """Return one module for links that follow each other.

    Layers of one kind and size become one `Recurrent`, with the dropout between them; alone, it
    is `penstock.RNN`, LSTM or GRU where these can be it. Otherwise there is a `Chain`.
    """
    runs = list(_runs(links))
    if len(runs) == 1 and not isinstance(runs[0], Dropped):
        return _module(runs[0], batch_first, alone)
    return Chain((_module(run, batch_first, False) for run in runs), batch_first)


Run = tuple[list[GivenLayer], float]  # layers of one module, and the dropout between them


def _runs(links: Links) -> Iterator[Run | Dropped | Turned | Sides]:
    """Yield layers that can be one module together, and else each link for itself."""
    layers: list[GivenLayer] = []
    between, pending = 0.0, 0.0
    for link in links:
        if isinstance(link, Dropped):  # that of two in a row is not one of either
            if pending:
                yield from _ended(layers, between, pending)
                layers, between = [], 0.0
            pending = link.rate
            continue
        if layers and _joins(layers, link, between, pending):
            between, pending = pending, 0.0
        else:
            yield from _ended(layers, between, pending)
            layers, between, pending = [], 0.0, 0.0
        if isinstance(link, GivenLayer):
            layers.append(link)
        else:
            yield link
    yield from _ended(layers, between, pending)


def _joins(layers: list[GivenLayer], link: Link, between: float, pending: float) -> bool:
    """Return whether a link can be a further layer of the same module."""
    if not isinstance(link, GivenLayer) or link.signature != layers[-1].signature:
        return False
    fits = {way.input_size for way in link.ways} == {layers[-1].output_size}
    return fits and (len(layers) == 1 or between == pending)


def _ended(layers: list[GivenLayer], between: float, pending: float) -> Iterator[Run | Dropped]:
    if layers:
        yield layers, between
    if pending:
        yield Dropped(pending)


def _module(run: Run | Dropped | Turned | Sides, batch_first: bool, alone: bool) -> nn.Module:
    if isinstance(run, Dropped):
        return nn.Dropout(run.rate)
    if isinstance(run, Turned):
        return Backwards(make(run.links, batch_first, alone=False), run.restored)
    if isinstance(run, Sides):
        forward = make(run.forward, batch_first, alone=False)
        return BothWays(forward, _module(run.backward, batch_first, False), run.merge)
    return _recurrent(run, batch_first, alone)


def _recurrent(run: Run, batch_first: bool, alone: bool) -> Recurrent:
    """Return layers of one kind as one module with their weights."""
    layers, dropout = run
    first, merge = layers[0].ways[0], layers[0].merge
    options = dict(first.options)
    starts = any(way.initial for layer in layers for way in layer.ways)
    settings: dict[str, Any] = {
        "input_size": first.input_size, "hidden_size": first.hidden_size,
        "num_layers": len(layers), "bias": "bias_ih" in first.weights, "dropout": dropout,
        "bidirectional": len(layers[0].ways) == 2, "batch_first": batch_first,
        "dtype": first.weights["weight_ih"].dtype, "device": "meta", **options,
    }  # fmt: skip
    plain = merge == "concat" and not starts and options.keys() <= {"nonlinearity"}
    if alone and plain and first.cell in _DROP_INS:
        module: Recurrent = _DROP_INS[first.cell](**settings)
    else:
        module = Recurrent(first.cell, merge=merge, trainable_state=starts, **settings)
    module.load_state_dict(_values(module, layers, starts), assign=True)
    return module


def _values(module: Recurrent, layers: list[GivenLayer], starts: bool) -> dict[str, Tensor]:
    ways = [way for layer in layers for way in layer.ways]
    values = {
        full: way.weights[name]
        for way, (_, names) in zip(ways, module.uses(), strict=True)
        for name, full in names.items()
    }
    sizes = zip(module.cell.states, module._state_sizes, strict=True)
    for state, width in sizes if starts else ():
        zero = torch.zeros(width, dtype=ways[0].weights["weight_ih"].dtype)
        rows = [(way.initial or {}).get(state, zero) for way in ways]
        values[f"initial_{state}"] = torch.stack(rows)
    return values
